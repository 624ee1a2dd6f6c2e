import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/{machines,actors,codex,control,doctor,inspector,library,recording,secrets,service,embedded-convex,docs}/**/*.test.ts',
            'test/*.test.ts',
          ],
          // What is waited for in vain is named after 15 s (test/support/until.ts): this is for
          // what hangs. Many start processes and threads, which a busy machine lets wait.
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'convex',
          include: ['test/convex/**/*.test.ts'],
          environment: 'edge-runtime',
          server: { deps: { inline: ['convex-test'] } },
        },
      },
      {
        // The same tests of our functions, on our own engine instead of convex-test's mock.
        resolve: {
          alias: { 'convex-test': join(root, 'src/embedded-convex/testing/convex-test.ts') },
        },
        test: {
          name: 'convex-embedded',
          include: ['test/convex/**/*.test.ts'],
          environment: 'edge-runtime',
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/{cli,e2e,faults}/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          // Conditions that a process, a backend or a Codex has to bring about.
          expect: { poll: { timeout: 30_000 } },
        },
      },
    ],
  },
});
