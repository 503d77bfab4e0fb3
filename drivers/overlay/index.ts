export type { OverlayOptions } from './network-options.js'
export { overlay } from './overlay.js'
