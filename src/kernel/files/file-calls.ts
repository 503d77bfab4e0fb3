import { readAttributes, writeAttributes, type Attributes } from './attributes.js'
import { makeNode } from './node-file.js'
import { limitFolder, unlimitFolder } from './project-quota.js'

/** What Node cannot do with files; descriptors are those of the process. */
export interface FileCalls {
  getAttributes(fd: number): Attributes
  setAttributes(fd: number, attributes: Attributes): void
  makeNode(path: string, mode: number, device: number): void
  limitFolder(fd: number, bytes: number): boolean
  unlimitFolder(fd: number): void
}

export const fileCalls: FileCalls = { getAttributes: readAttributes, setAttributes: writeAttributes, makeNode, limitFolder, unlimitFolder }
