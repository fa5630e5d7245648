import Glibc
import NIOCore
import NIOWebSocket

extension ConnectionHandler {
  /// Does what a request or the command line ordered, in the middle of a response.
  func perform(_ fault: Fault, _ run: ResponseRun) {
    switch fault {
    case .error(let code, let status):
      send(ErrorEvent(status: status, code: code, message: "Ordered by the request."))
      responseEnded(run, canBeContinued: false)
      if ErrorEvent.connectionCodes.contains(code) {
        close(code: 1001, reason: code)
      }
    case .silence: run.isSilent = true
    case .garbage: send(text: "this is not JSON {")
    case .odd: OddMessages.all.forEach(send(text:))
    case .giant(let bytes): send(text: Self.giantEvent(bytes: bytes))
    case .binary: write(.binary, ByteBuffer(bytes: [0x00, 0xFF, 0x7B, 0x7D]))
    case .invalidUTF8:
      write(
        .text, ByteBuffer(bytes: Array(#"{"type":"x","delta":""#.utf8) + [0xC3, 0x28, 0x22, 0x7D]))
    case .badFrame(let kind): write(Self.badFrame(kind))
    case .drop, .reset, .truncate, .close, .dead: end(fault)
    }
  }

  /// Ends the connection, or plays dead, as a fault or a command says.
  func end(_ fault: Fault) {
    if let connection { return connection.end(fault) }
    guard let context else { return }
    if phase != .open {
      // Nothing more can be said, but the socket can go.
      if fault != .dead { context.close(promise: nil) }
      return
    }
    flush()
    switch fault {
    case .close(let code, let reason):
      close(code: code, reason: reason)
      return
    case .truncate:
      context.triggerUserOutboundEvent(TLSServerHandler.OmitCloseNotify(), promise: nil)
    case .reset:
      context.triggerUserOutboundEvent(TLSServerHandler.OmitCloseNotify(), promise: nil)
      // A close with bytes unsent and no time to linger is a reset: socket(7), SO_LINGER.
      _ = (context.channel as? any SocketOptionProvider)?
        .setSoLinger(linger(l_onoff: 1, l_linger: 0))
    case .drop, .dead, .silence, .error, .garbage, .binary, .badFrame, .invalidUTF8, .giant, .odd:
      break
    }
    endRun()
    phase = .dead
    if fault != .dead { context.close(promise: nil) }
  }

  /// From now on the socket gets this many bytes a millisecond; the first order counts.
  func trickle(_ bytes: Int) {
    guard let pipeline = context?.pipeline.syncOperations,
      (try? pipeline.handler(type: TrickleHandler.self)) == nil
    else { return }
    try? pipeline.addHandler(TrickleHandler(pieceBytes: bytes), position: .first)
  }

  private static func badFrame(_ kind: Fault.BadFrame) -> WebSocketFrame {
    let data = ByteBuffer(string: #"{"type":"response.output_text.delta","delta":"bad frame"}"#)
    switch kind {
    case .reservedBit: return WebSocketFrame(fin: true, rsv1: true, opcode: .text, data: data)
    case .opcode:
      let reserved = WebSocketOpcode(encodedWebSocketOpcode: 3) ?? .continuation
      return WebSocketFrame(fin: true, opcode: reserved, data: data)
    case .masked:
      return WebSocketFrame(fin: true, opcode: .text, maskKey: [1, 2, 3, 4], data: data)
    case .continuation: return WebSocketFrame(fin: true, opcode: .continuation, data: data)
    }
  }

  /// An image's event whose base64 text, the alphabet over and over, fills it up to the size.
  static func giantEvent(bytes: Int) -> String {
    let opening =
      #"{"type":"response.image_generation_call.partial_image","item_id":"ig_giant","#
      + #""output_index":1,"partial_image_index":0,"partial_image_b64":""#
    let closing = #""}"#
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let count = max(0, bytes - opening.utf8.count - closing.utf8.count)
    return opening
      + String(unsafeUninitializedCapacity: count) { buffer in
        for index in 0..<count { buffer[index] = alphabet[index % alphabet.count] }
        return count
      } + closing
  }
}
