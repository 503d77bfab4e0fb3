/** The thread is in a namespace that it cannot leave: nothing that it did from now on would be where it belongs. */
export class NamespaceLost extends Error {
  constructor(cause: unknown) {
    super('the kernel thread cannot return to its network namespace', { cause })
    this.name = 'NamespaceLost'
  }
}
