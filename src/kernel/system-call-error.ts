/** A failed system call: which one, and errno. Converted to a CnmError by whoever knows what was attempted. */
export class SystemCallError extends Error {
  constructor(
    readonly syscall: string,
    readonly errno: number,
  ) {
    super(`${syscall}: errno ${errno}`)
    this.name = 'SystemCallError'
  }
}
