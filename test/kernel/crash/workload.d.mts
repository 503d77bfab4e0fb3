import type { Controller, ControllerOptions } from 'libcnm'

/** What an operation makes, changes or removes. An endpoint is `network/name`. */
export interface Thing {
  kind: 'network' | 'sandbox' | 'endpoint' | 'volume'
  name: string
}

export interface Operation {
  what: string
  /** In the state {@link leaves} once it is acknowledged. Nothing else is done meanwhile with them. */
  things: Thing[]
  leaves: 'present' | 'absent'
  /** Others, by {@link keyOf}, with which nothing else is done meanwhile. */
  holds?: string[]
  run(): Promise<unknown>
}

/** The default export of a workload's module. */
export interface Workload {
  /** What the controller is opened with, beside its state directory and instance. */
  options?: () => ControllerOptions
  /** Chooses an operation, or none. `serial` gives a number that was not given before. */
  next(controller: Controller, random: () => number, serial: () => number): Operation | undefined
  /** Does once more, after the crash, what was interrupted, however far it had come. */
  repeat(controller: Controller, operation: { what: string; things: Thing[] }): Promise<void>
  /** Codes of errors that leave everything as it was, because two operations met. */
  refusals?: string[]
  /** What has to survive of an acknowledged thing. */
  facts?(controller: Controller, thing: Thing): unknown
  /** What there is, beside networks, sandboxes and endpoints. */
  others?(controller: Controller): Thing[]
  /** Deletes what there is beside those. */
  clean?(controller: Controller): Promise<void>
}

export function randomFrom(seed: number): () => number
export function keyOf(thing: Thing): string
export function work(
  controller: Controller,
  workload: Workload,
  settings: { log: number; seed: number; workers: number; first: number },
): Promise<void>
