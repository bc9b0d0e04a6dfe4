/**
 * Recognises RSA moduli made by the Infineon library of CVE-2017-15361 ("ROCA"), whose keys can be factored.
 *
 * For the reader of key sets. Such a modulus is, modulo each of many small primes, a power of 65537; a modulus made
 * well is so for all of them with a chance of about 1 in 2^28. It finds no other weakness of a modulus.
 */
const smallPrimes = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
  103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
]

const powersOf65537 = (prime: number): ReadonlySet<number> => {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power)
  return powers
}

const fingerprints = smallPrimes.map((prime) => ({
  prime: BigInt(prime),
  powers: powersOf65537(prime),
}))

/** Whether `modulus` has the structure of the keys of CVE-2017-15361. */
export const isRocaModulus = (modulus: bigint): boolean =>
  fingerprints.every(({ prime, powers }) => powers.has(Number(modulus % prime)))
