/** What is not as it should be now, by what it is about; each goes when it has been put right. */
export class Troubles {
  readonly #reasons = new Map<string, string>()

  set(about: string, reason: string): void {
    this.#reasons.set(about, reason)
  }
  clear(about: string): void {
    this.#reasons.delete(about)
  }
  reason(about: string): string | undefined {
    return this.#reasons.get(about)
  }
  reasons(): string[] {
    return [...this.#reasons.values()]
  }
}
