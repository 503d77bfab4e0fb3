export { driverConformance, type DriverConformance, type DriverSample } from './driver-conformance.js'
export { driverKernelConformance, type DriverKernelConformance } from './driver-kernel-conformance.js'
export { storeConformance, type StoreConformanceOptions } from './store-conformance.js'
export { volumeDriverConformance, type VolumeDriverConformance } from './volume-driver-conformance.js'
