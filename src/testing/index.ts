export { driverConformance, type DriverConformance, type DriverSample } from './driver-conformance.js'
export { driverKernelConformance, type DriverKernelConformance } from './driver-kernel-conformance.js'
export { storeConformance, type StoreConformanceOptions } from './store-conformance.js'
