export { featuresHandler } from './handler.js'
