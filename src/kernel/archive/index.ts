export { exportTree } from './export-tree.js'
export { importTree } from './import-tree.js'
