import type { KernelEvent, KernelWatch } from '../kernel/index.js'
import type { Core } from './core.js'
import { HostChanges } from './host-changes.js'

/** Follows what happens in the kernel while the controller is open. */
export class Watch {
  readonly #host: HostChanges
  #watch: KernelWatch | undefined

  private constructor(core: Core) {
    this.#host = new HostChanges(core)
  }

  static async open(core: Core): Promise<Watch> {
    const watch = new Watch(core)
    watch.#watch = await core.kernel.watch({ groups: ['link', 'address', 'route'] }, (events) => watch.#take(events))
    return watch
  }

  async close(): Promise<void> {
    this.#watch?.close()
    await this.#host.close()
  }

  #take(events: readonly KernelEvent[]): void {
    this.#host.take(events)
  }
}
