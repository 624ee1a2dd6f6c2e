/** The next larger number that a double can hold. */
export function nextDouble(value: number): number {
  double.setFloat64(0, value);
  double.setBigInt64(0, double.getBigInt64(0) + 1n);
  return double.getFloat64(0);
}

const double = new DataView(new ArrayBuffer(8));
