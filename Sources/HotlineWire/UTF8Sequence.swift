/// Strict UTF-8 by the table of RFC 3629, 4: nothing overlong, no surrogates, at most U+10FFFF.
package enum UTF8Sequence {
  /// Length of the well-formed sequence of two to four bytes at `offset`; 0 if there is none.
  ///
  /// `offset` must be less than `bytes.count`; an ASCII byte is no such sequence. Any thread.
  @inline(__always)
  static func multibyteLength(in bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
    let lead = bytes[offset]
    let rest = bytes.count &- offset
    if lead < 0xE0 {
      guard lead >= 0xC2, rest >= 2, isContinuation(bytes[offset &+ 1]) else { return 0 }
      return 2
    }
    guard rest >= 3, lead <= 0xF4, isSecond(bytes[offset &+ 1], after: lead),
      isContinuation(bytes[offset &+ 2])
    else { return 0 }
    if lead < 0xF0 { return 3 }
    guard rest >= 4, isContinuation(bytes[offset &+ 3]) else { return 0 }
    return 4
  }

  /// Length of the ill-formed piece at `offset` that one U+FFFD stands for: the longest beginning
  /// of a well-formed sequence, else one byte (Unicode 16, 3.9, "maximal subpart").
  ///
  /// To be asked only where no well-formed sequence begins.
  static func illFormedLength(in bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
    let lead = bytes[offset]
    let rest = bytes.count &- offset
    guard lead >= 0xE0, lead <= 0xF4, rest >= 2, isSecond(bytes[offset &+ 1], after: lead) else {
      return 1
    }
    guard lead >= 0xF0, rest >= 3, isContinuation(bytes[offset &+ 2]) else { return 2 }
    return 3
  }

  /// Whether all of `bytes` is well-formed UTF-8, in linear time without allocation. Any thread.
  package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var at = 0
    while at < bytes.count {
      if at &+ 8 <= bytes.count,
        bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
      {
        at &+= 8
      } else if bytes[at] < 0x80 {
        at &+= 1
      } else {
        let length = multibyteLength(in: bytes, at: at)
        guard length > 0 else { return false }
        at &+= length
      }
    }
    return true
  }

  @inline(__always)
  private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

  /// The second byte of three or four; four leads narrow its range.
  @inline(__always)
  private static func isSecond(_ byte: UInt8, after lead: UInt8) -> Bool {
    switch lead {
    case 0xE0: byte >= 0xA0 && byte <= 0xBF
    case 0xED: byte >= 0x80 && byte <= 0x9F
    case 0xF0: byte >= 0x90 && byte <= 0xBF
    case 0xF4: byte >= 0x80 && byte <= 0x8F
    default: isContinuation(byte)
    }
  }
}
