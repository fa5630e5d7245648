/// `bytes` in base64 with padding (RFC 4648, 4).
func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    bits <<= UInt32(3 - group.count) * 8
    for position in 0..<4 {
      let index = Int(bits >> UInt32(18 - position * 6)) & 63
      text.append(position <= group.count ? alphabet[index] : 0x3D)
    }
  }
  return String(decoding: text, as: UTF8.self)
}
