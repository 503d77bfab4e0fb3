import { readAttributes, writeAttributes, type Attributes } from './attributes.js'

/** What Node cannot do with files; descriptors are those of the process. */
export interface FileCalls {
  getAttributes(fd: number): Attributes
  setAttributes(fd: number, attributes: Attributes): void
}

export const fileCalls: FileCalls = {
  getAttributes: readAttributes,
  setAttributes: writeAttributes,
}
