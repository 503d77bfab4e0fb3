import type { KernelObject } from './kernel-objects.js'

/**
 * One step of a kernel transaction.
 *
 * - `create`: the object must not exist (`replace: true`: it may, and is overwritten; undo puts the old one back).
 * - `change`: from one state to another; only what differs is touched.
 * - `delete`: the object as it is believed to be, so that undo can make it again. `missing: 'ignore'` accepts that
 *   it is gone already.
 *
 * Links and namespaces are removed after everything else has succeeded, each checked beforehand, because removing
 * them cannot be undone; many links of one namespace go together.
 */
export type Operation =
  | { do: 'create'; object: KernelObject; replace?: boolean }
  | { do: 'change'; from: KernelObject; to: KernelObject }
  | { do: 'delete'; object: KernelObject; missing?: 'ignore' | 'error' }
