/// Whether `bytes` are well-formed UTF-8 (RFC 3629, section 4). Any thread.
///
/// Reads ASCII 32 bytes at a time, since what servers send is nearly all ASCII.
package func isValidUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
  var index = asciiEnd(bytes, from: 0)
  while index < bytes.count {
    let length = multibyteSequenceLength(bytes, at: index)
    guard length > 0 else { return false }
    index += length
    if index < bytes.count, bytes[index] < 0x80 { index = asciiEnd(bytes, from: index) }
  }
  return true
}

/// The index of the first byte at or after `start` that is not ASCII, or the count.
@inline(__always)
private func asciiEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
  let highBits: UInt64 = 0x8080_8080_8080_8080
  var index = start
  while bytes.count - index >= 32 {
    let a = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
    let b = bytes.loadUnaligned(fromByteOffset: index + 8, as: UInt64.self)
    let c = bytes.loadUnaligned(fromByteOffset: index + 16, as: UInt64.self)
    let d = bytes.loadUnaligned(fromByteOffset: index + 24, as: UInt64.self)
    guard (a | b | c | d) & highBits == 0 else { break }
    index += 32
  }
  while bytes.count - index >= 8,
    bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & highBits == 0
  {
    index += 8
  }
  while index < bytes.count, bytes[index] < 0x80 { index += 1 }
  return index
}

/// The length of the well-formed sequence of two to four bytes at `index`; 0 if there is none.
private func multibyteSequenceLength(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Int {
  let lead = bytes[index]
  let length: Int
  var second: ClosedRange<UInt8> = 0x80...0xBF
  switch lead {
  case 0xC2...0xDF: length = 2
  case 0xE0...0xEF:
    length = 3
    // Over-long forms and surrogates.
    if lead == 0xE0 { second = 0xA0...0xBF } else if lead == 0xED { second = 0x80...0x9F }
  case 0xF0...0xF4:
    length = 4
    // Over-long forms and what lies beyond U+10FFFF.
    if lead == 0xF0 { second = 0x90...0xBF } else if lead == 0xF4 { second = 0x80...0x8F }
  default: return 0
  }
  guard bytes.count - index >= length, second.contains(bytes[index + 1]) else { return 0 }
  for offset in 2..<max(length, 2) where bytes[index + offset] & 0xC0 != 0x80 { return 0 }
  return length
}
