/** What is wrong with a file, and where; lines and columns count from 1, as compilers print them. */
export interface FileProblem {
  line: number;
  column: number;
  message: string;
}
