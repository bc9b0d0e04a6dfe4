/** The version of this program, once. `package.json` is held equal by a test. */
export const version = '0.1.0'
