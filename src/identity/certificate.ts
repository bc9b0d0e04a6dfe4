/** placeholder */
export interface Certificate {
  readonly der: Buffer
}
