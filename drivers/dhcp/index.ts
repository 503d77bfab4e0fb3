export { dhcp } from './dhcp.js'
