import HotlineWire

/// `bytes` in base64 with padding (RFC 4648, 4).
func base64(_ bytes: [UInt8]) -> String {
  var text: [UInt8] = []
  bytes.withUnsafeBytes { Base64.append($0, to: &text) }
  return String(decoding: text, as: UTF8.self)
}
