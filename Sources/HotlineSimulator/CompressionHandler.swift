import CZlib
import NIOCore
import NIOWebSocket

/// Undoes the compression of the client's messages and compresses the server's own (RFC 7692, 7.2).
///
/// Stands between the frames and ``ConnectionHandler``. Confined to its channel's loop.
final class CompressionHandler: ChannelDuplexHandler {
  typealias InboundIn = WebSocketFrame
  typealias InboundOut = WebSocketFrame
  typealias OutboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  private struct Broken: Error {}

  private let terms: CompressionTerms
  private let state: SimulatorState
  private let deflating: ZlibStream
  private let inflating: ZlibStream
  /// Inside a compressed message of the client's, with so many bytes of it inflated.
  private var bytesInflated: Int?
  /// Inside a message of the server's.
  private var isSending = false

  init(_ terms: CompressionTerms, _ state: SimulatorState) {
    self.terms = terms
    self.state = state
    deflating = ZlibStream(deflatingWith: terms.serverMaxWindowBits ?? 15)
    // What refers farther back than was agreed fails.
    inflating = ZlibStream(inflatingWith: terms.clientMaxWindowBits ?? 15)
  }

  // MARK: From the client

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var frame = unwrapInboundIn(data)
    let isFirst = frame.rsv1 && (frame.opcode == .text || frame.opcode == .binary)
    let isNext = frame.opcode == .continuation && !frame.rsv1 && bytesInflated != nil
    guard isFirst || isNext else { return context.fireChannelRead(data) }
    if isFirst { bytesInflated = 0 }
    // One that cannot be inflated goes on with its bit, which is a violation.
    if let inflated = try? inflated(frame) {
      if frame.fin { state.statistics.compressedMessagesReceived += 1 }
      // The mask is off, and that there was one is still to be seen.
      let mask = frame.maskKey == nil ? nil : WebSocketMaskingKey([0, 0, 0, 0])
      frame = WebSocketFrame(fin: frame.fin, opcode: frame.opcode, maskKey: mask, data: inflated)
    } else {
      frame.rsv1 = true
    }
    if frame.fin { bytesInflated = nil }
    context.fireChannelRead(wrapInboundOut(frame))
  }

  private func inflated(_ frame: WebSocketFrame) throws -> ByteBuffer {
    var data = frame.unmaskedData
    if frame.fin { data.writeBytes([0x00, 0x00, 0xFF, 0xFF]) }
    // One byte more than may be is told from what may be.
    let room = behaviour.messageBytesMax + 1 - (bytesInflated ?? 0)
    let inflated = try data.withUnsafeReadableBytes { bytes in
      try inflating.run(bytes, bytesMax: room) { stream in
        let result = inflate(stream, Z_SYNC_FLUSH)
        guard result == Z_OK || result == Z_BUF_ERROR else { throw Broken() }
      }
    }
    bytesInflated = (bytesInflated ?? 0) + inflated.readableBytes
    if frame.fin, terms.clientNoContextTakeover { inflateReset(inflating.pointer) }
    return inflated
  }

  private var behaviour: SimulatorBehaviour { state.behaviour }

  // MARK: To the client

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    var frame = unwrapOutboundIn(data)
    let isFirst = frame.opcode == .text || frame.opcode == .binary
    let isData = isFirst || (frame.opcode == .continuation && isSending)
    guard isData, frame.maskKey == nil, !frame.rsv1 else {
      // What is wrong on purpose stays so; the first reserved bit would not be.
      frame.rsv2 = frame.rsv1
      frame.rsv1 = false
      return context.write(wrapOutboundOut(frame), promise: promise)
    }
    isSending = !frame.fin
    frame.data = deflated(frame.data, isLast: frame.fin)
    frame.rsv1 = isFirst
    if frame.fin { state.statistics.compressedMessagesSent += 1 }
    context.write(wrapOutboundOut(frame), promise: promise)
  }

  /// The fragments of a message one after the other; the last one loses its flush's end.
  private func deflated(_ data: ByteBuffer, isLast: Bool) -> ByteBuffer {
    defer { if isLast, terms.serverNoContextTakeover { deflateReset(deflating.pointer) } }
    // zlib flushes nothing twice; this is a block with nothing in it (7.2.3.6).
    guard data.readableBytes > 0 else { return ByteBuffer(bytes: isLast ? [0] : []) }
    var result = data.withUnsafeReadableBytes { bytes in
      deflating.run(bytes, bytesMax: .max) { stream in _ = deflate(stream, Z_SYNC_FLUSH) }
    }
    if isLast { result.moveWriterIndex(to: result.writerIndex - 4) }
    return result
  }
}

/// One of zlib's streams of raw DEFLATE.
private final class ZlibStream {
  let pointer = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private let isInflating: Bool

  init(deflatingWith windowBits: Int) {
    pointer.initialize(to: z_stream())
    isInflating = false
    let result = CZlib_deflateInit2(pointer, 6, Int32(-windowBits), 8)
    precondition(result == Z_OK, "zlib makes no compressor: \(result)")
  }

  init(inflatingWith windowBits: Int) {
    pointer.initialize(to: z_stream())
    isInflating = true
    let result = CZlib_inflateInit2(pointer, Int32(-windowBits))
    precondition(result == Z_OK, "zlib makes no decompressor: \(result)")
  }

  deinit {
    if isInflating { inflateEnd(pointer) } else { deflateEnd(pointer) }
    pointer.deallocate()
  }

  /// Calls `step` until it leaves room in its output, or `bytesMax` bytes have come out.
  func run<Failure: Error>(
    _ input: UnsafeRawBufferPointer, bytesMax: Int,
    _ step: (UnsafeMutablePointer<z_stream>) throws(Failure) -> Void
  ) throws(Failure) -> ByteBuffer {
    var output = ByteBuffer()
    pointer.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: Bytef.self)
    pointer.pointee.avail_in = uInt(input.count)
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while output.readableBytes < bytesMax {
      let room = min(chunk.count, bytesMax - output.readableBytes)
      let result = chunk.withUnsafeMutableBufferPointer { chunk in
        Result { () throws(Failure) in
          pointer.pointee.next_out = chunk.baseAddress
          pointer.pointee.avail_out = uInt(room)
          try step(pointer)
        }
      }
      try result.get()
      let count = room - Int(pointer.pointee.avail_out)
      output.writeBytes(chunk[..<count])
      if count < room { break }
    }
    return output
  }
}
