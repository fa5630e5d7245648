/// Base 64 with padding (RFC 4648, 4).
package enum Base64 {
  private static let alphabet: StaticString =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  /// Appends the encoding of `data`. Any thread.
  package static func append(_ data: UnsafeRawBufferPointer, to out: inout [UInt8]) {
    let digits = alphabet.utf8Start
    out.reserveCapacity(out.count + (data.count + 2) / 3 * 4)
    var at = 0
    while at < data.count {
      let pieceCount = min(3, data.count - at)
      var group = UInt32(data[at]) << 16
      if pieceCount > 1 { group |= UInt32(data[at + 1]) << 8 }
      if pieceCount > 2 { group |= UInt32(data[at + 2]) }
      for index in 0..<4 {
        let digit = Int(group >> UInt32(18 - 6 * index) & 0x3F)
        out.append(index <= pieceCount ? digits[digit] : UInt8(ascii: "="))
      }
      at += 3
    }
  }
}
