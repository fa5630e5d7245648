import Glibc

/// The kernel's own generator, asked for many bytes at once: a system call costs more than they do.
///
/// What has been given out is not kept.
struct KernelRandom: RandomNumberGenerator {
  /// As many as getentropy(3) gives a call.
  private static let byteCount = 256

  private var words: [UInt64] = []

  mutating func next() -> UInt64 {
    if let word = words.popLast() { return word }
    words = Array(repeating: 0, count: Self.byteCount / 8)
    let result = words.withUnsafeMutableBytes { getentropy($0.baseAddress!, $0.count) }
    // It fails for want of memory of its own to write to, and on no kernel that Swift runs on.
    precondition(result == 0, "the kernel gives no random bytes")
    return words.removeLast()
  }
}

/// Fresh keys for the frames a client sends (RFC 6455, 5.3 and 10.3: not to be foreseen).
///
/// Each number of the generator is two keys.
package struct MaskingKeys {
  private var random: any RandomNumberGenerator
  private var spare: UInt32?

  /// `random` must be cryptographically secure outside of tests.
  package init(random: any RandomNumberGenerator = KernelRandom()) {
    self.random = random
  }

  /// The next key; its lowest byte goes over the wire first.
  package mutating func next() -> UInt32 {
    if let key = spare {
      spare = nil
      return key
    }
    let word = random.next()
    spare = UInt32(truncatingIfNeeded: word >> 32)
    return UInt32(truncatingIfNeeded: word)
  }

  /// Sixteen bytes for `Sec-WebSocket-Key` (RFC 6455, 4.1).
  package mutating func nonce() -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<2 {
      let word = random.next()
      for shift in stride(from: 0, to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
      }
    }
    return bytes
  }
}

/// Copies `source` to `target` under a mask, eight bytes at a time.
///
/// `position` is the place of the first byte in its frame: the mask repeats every four bytes.
/// `target` must have room for all of `source`.
func maskedCopy(
  _ source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer, key: UInt32,
  position: Int
) {
  precondition(target.count >= source.count)
  let turn = UInt32(position & 3) * 8
  let turned = turn == 0 ? key : key >> turn | key << (32 - turn)
  let word = UInt64(turned) | UInt64(turned) << 32
  var index = 0
  while source.count - index >= 8 {
    let plain = UInt64(
      littleEndian: source.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    target.storeBytes(of: (plain ^ word).littleEndian, toByteOffset: index, as: UInt64.self)
    index += 8
  }
  while index < source.count {
    target[index] = source[index] ^ UInt8(truncatingIfNeeded: word >> UInt64((index & 7) * 8))
    index += 1
  }
}
