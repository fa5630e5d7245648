/// The bytes that the operations read: of the size that servers send.
enum Samples {
  /// A text delta as servers send it.
  static let delta = Array(
    """
    {"type":"response.output_text.delta","sequence_number":1234,"output_index":0,\
    "content_index":0,"item_id":"msg_0123456789abcdef0123456789abcdef01234567","delta":" and so \
    forth","logprobs":[],"obfuscation":"AbCdEfGhIjKlMnOpQrStUvWxY"}
    """.utf8)

  static let created = Array(
    #"{"type":"response.created","response":{"id":"resp_0123456789abcdef","status":"in_progress"}}"#
      .utf8)

  /// A last event with a text of 64 KiB in it, every hundredth character of which is escaped.
  static let longTerminal: [UInt8] = {
    var text = Array(
      #"{"type":"response.completed","response":{"id":"resp_1","status":"completed","text":""#.utf8)
    for at in 0..<(64 << 10) {
      text += at % 100 == 0 ? Array(#"\n"#.utf8) : [UInt8(ascii: "a") + UInt8(at % 26)]
    }
    return text + Array(#""}}"#.utf8)
  }()

  static let request = Array(
    """
    {"type":"response.create","request_id":"q7-0","response":{"model":"gpt-5.2","input":[{"role":\
    "user","content":[{"type":"input_text","text":"What is the time, please?"}]}],"store":false}}
    """.utf8)

  /// `count` server frames of one delta each.
  static func frames(_ count: Int) -> [UInt8] {
    let size = delta.count
    precondition((126...65_535).contains(size))
    let frame = [0x81, 126, UInt8(size >> 8), UInt8(size & 0xFF)] + delta
    return Array(repeatElement(frame, count: count).joined())
  }

  static func lines(_ count: Int) -> [UInt8] {
    Array(repeatElement(request + [UInt8(ascii: "\n")], count: count).joined())
  }
}
