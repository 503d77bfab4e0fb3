import { describe, it } from 'node:test'
import { driverConformance, driverKernelConformance } from 'libcnm/testing'
import { ptp } from './ptp.js'

const samples = [
  { title: 'no options' },
  { title: 'internal, IPv4 only', internal: true, ipv6: false },
  { title: 'jumbo', networkOptions: { mtu: '9000' } },
]

driverConformance({ driver: ptp, samples, describe, it })
driverKernelConformance({ driver: ptp, samples, describe, it })
