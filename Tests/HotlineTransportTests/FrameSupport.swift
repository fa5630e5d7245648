import NIOCore
import NIOEmbedded
import NIOWebSocket

@testable import HotlineTransport

/// NIOWebSocket's decoder: what a server makes of the bytes we send.
final class OracleDecoder {
  private let channel = EmbeddedChannel()

  init() throws {
    let decoder = WebSocketFrameDecoder(maxFrameSize: 1 << 20)
    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder))
  }

  func frames(_ bytes: ByteBuffer) throws -> [WebSocketFrame] {
    try channel.writeInbound(bytes)
    var frames: [WebSocketFrame] = []
    while let frame = try channel.readInbound(as: WebSocketFrame.self) { frames.append(frame) }
    return frames
  }
}

/// NIOWebSocket's encoder: what a server sends us.
func oracleEncoded(_ frames: [WebSocketFrame]) throws -> ByteBuffer {
  let channel = EmbeddedChannel()
  try channel.pipeline.syncOperations.addHandler(WebSocketFrameEncoder())
  var bytes = ByteBuffer()
  for frame in frames {
    try channel.writeOutbound(frame)
    while var part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&part) }
  }
  return bytes
}

func frame(
  _ opcode: WebSocketOpcode, _ payload: some Sequence<UInt8>, isFinal: Bool = true
) -> WebSocketFrame {
  WebSocketFrame(fin: isFinal, opcode: opcode, data: ByteBuffer(bytes: payload))
}

extension FrameDecoder {
  /// All events of `bytes`, given in pieces that end at each of `cuts`.
  mutating func events(
    _ bytes: ByteBuffer, cutAt cuts: some Sequence<Int> = [Int]()
  ) throws(FrameViolation) -> [Event] {
    var events: [Event] = []
    var rest = bytes
    for end in Array(cuts) + [bytes.readableBytes] {
      guard var piece = rest.readSlice(length: end - rest.readerIndex + bytes.readerIndex)
      else { continue }
      while let event = try next(&piece) { events.append(event) }
    }
    return events
  }
}

/// A frame by hand, for what no encoder would write.
func rawFrame(_ bytes: UInt8..., payload: [UInt8] = []) -> ByteBuffer {
  ByteBuffer(bytes: bytes + payload)
}
