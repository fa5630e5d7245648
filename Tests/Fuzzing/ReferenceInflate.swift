/// RFC 1951 written down once more, a bit at a time and with nothing of zlib in it: what one of the
/// two makes of a stream the other must.
///
/// One of these inflates the messages of one connection (RFC 7692, 7.2.2). Slow; for small ones.
struct ReferenceInflate {
  enum Failure: Error {
    /// The bytes are no DEFLATE stream, or a block does not end with them.
    case invalid
    /// More has come out than may.
    case tooLarge
  }

  /// All that was inflated, of all messages.
  private(set) var output: [UInt8] = []
  /// How far back anything has referred.
  private(set) var distanceMax = 0
  private var bytes: [UInt8] = []
  /// Bits of `bytes` that were read.
  private var position = 0
  private var outputMax = 0

  /// What the sender has left off (7.2.1).
  private static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

  /// Inflates the payload of a message; after a failure nothing may follow.
  mutating func take(_ payload: [UInt8], bytesMax: Int) throws(Failure) {
    outputMax = output.count + bytesMax
    // An odd message may leave two bits of its last byte to the next one.
    bytes = bytes.suffix(bytes.count - position / 8) + payload
    position %= 8
    let payloadEnd = bytes.count * 8
    bytes += Self.tail
    // A block begins with three bits.
    while bytes.count * 8 - position >= 3 {
      let isLast = try bit() == 1
      try block()
      guard isLast else { continue }
      position = (position + 7) / 8 * 8
      // Who closes the stream instead of flushing it leaves nothing off (7.2.3.4).
      if position == payloadEnd, !payload.isEmpty {
        bytes = []
        position = 0
        return
      }
    }
  }

  private mutating func block() throws(Failure) {
    switch try bits(2) {
    case 0: try stored()
    case 1: try symbols(PrefixCode.fixedLiterals, PrefixCode.fixedDistances)
    case 2:
      let (literals, distances) = try codes()
      try symbols(literals, distances)
    default: throw .invalid
    }
  }

  /// RFC 1951, 3.2.4.
  private mutating func stored() throws(Failure) {
    position = (position + 7) / 8 * 8
    let count = try bits(16)
    guard try bits(16) == count ^ 0xFFFF else { throw .invalid }
    for _ in 0..<count { try append(UInt8(try bits(8))) }
  }

  /// RFC 1951, 3.2.5.
  private mutating func symbols(
    _ literals: PrefixCode, _ distances: PrefixCode
  ) throws(Failure) {
    while true {
      let symbol = try self.symbol(literals)
      if symbol == 256 { return }
      guard symbol > 256 else {
        try append(UInt8(symbol))
        continue
      }
      let length = try self.length(symbol - 257)
      let distance = try self.distance(try self.symbol(distances))
      distanceMax = max(distanceMax, distance)
      guard distance <= output.count else { throw .invalid }
      for _ in 0..<length { try append(output[output.count - distance]) }
    }
  }

  private mutating func length(_ code: Int) throws(Failure) -> Int {
    switch code {
    case 0..<8: return 3 + code
    case 8..<28:
      let extra = code / 4 - 1
      return 3 + (4 + code % 4) << extra + (try bits(extra))
    case 28: return 258
    default: throw .invalid
    }
  }

  private mutating func distance(_ code: Int) throws(Failure) -> Int {
    guard code >= 4 else { return 1 + code }
    guard code < 30 else { throw .invalid }
    let extra = code / 2 - 1
    return 1 + (2 + code % 2) << extra + (try bits(extra))
  }

  /// RFC 1951, 3.2.7.
  private mutating func codes() throws(Failure) -> (PrefixCode, PrefixCode) {
    let literals = try bits(5) + 257
    let distances = try bits(5) + 1
    let lengthCodes = try bits(4) + 4
    guard literals <= 286, distances <= 30 else { throw .invalid }
    var lengths = [Int](repeating: 0, count: 19)
    for index in 0..<lengthCodes { lengths[PrefixCode.lengthOrder[index]] = try bits(3) }
    let lengthCode = PrefixCode(lengths)
    guard lengthCode.unused == 0 else { throw .invalid }
    lengths = []
    while lengths.count < literals + distances {
      let symbol = try self.symbol(lengthCode)
      switch symbol {
      case 0...15: lengths.append(symbol)
      case 16:
        guard let last = lengths.last else { throw .invalid }
        lengths += [Int](repeating: last, count: 3 + (try bits(2)))
      case 17: lengths += [Int](repeating: 0, count: 3 + (try bits(3)))
      default: lengths += [Int](repeating: 0, count: 11 + (try bits(7)))
      }
    }
    guard lengths.count == literals + distances, lengths[256] != 0 else { throw .invalid }
    let codes = (
      PrefixCode(Array(lengths[..<literals])), PrefixCode(Array(lengths[literals...]))
    )
    guard codes.0.mayBeSent, codes.1.mayBeSent else { throw .invalid }
    return codes
  }

  private mutating func symbol(_ code: PrefixCode) throws(Failure) -> Int {
    var value = 0
    var first = 0
    var index = 0
    for count in code.counts.dropFirst() {
      value = value << 1 | (try bit())
      first <<= 1
      if value - first < count { return code.symbols[index + value - first] }
      index += count
      first += count
    }
    throw .invalid
  }

  private mutating func append(_ byte: UInt8) throws(Failure) {
    output.append(byte)
    guard output.count <= outputMax else { throw .tooLarge }
  }

  private mutating func bits(_ count: Int) throws(Failure) -> Int {
    var value = 0
    for shift in 0..<count { value |= try bit() << shift }
    return value
  }

  private mutating func bit() throws(Failure) -> Int {
    guard position < bytes.count * 8 else { throw .invalid }
    defer { position += 1 }
    return Int(bytes[position / 8] >> (position % 8) & 1)
  }
}

/// A Huffman code given by the lengths of its codes (RFC 1951, 3.2.2).
private struct PrefixCode {
  /// How many codes have each length.
  var counts = [Int](repeating: 0, count: 16)
  /// In the order of their codes.
  var symbols: [Int] = []
  /// Of the longest codes how many are not used; negative if there are more codes than can be.
  var unused = 1

  init(_ lengths: [Int]) {
    for length in 1...15 {
      let ofThisLength = lengths.indices.filter { lengths[$0] == length }
      counts[length] = ofThisLength.count
      symbols += ofThisLength
      unused = unused * 2 - ofThisLength.count
      if unused < 0 { return }
    }
  }

  /// Where there is one symbol at most its code has one bit, and the other code is not used.
  var mayBeSent: Bool { unused == 0 || (unused > 0 && symbols.count == counts[1]) }

  static let fixedLiterals = PrefixCode(
    [Int](repeating: 8, count: 144) + [Int](repeating: 9, count: 112)
      + [Int](repeating: 7, count: 24) + [Int](repeating: 8, count: 8))
  static let fixedDistances = PrefixCode([Int](repeating: 5, count: 32))
  static let lengthOrder = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
  ]
}
