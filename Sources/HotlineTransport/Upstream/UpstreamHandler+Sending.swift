import HotlineCore
import NIOCore

/// Frames to the server.
extension UpstreamHandler {
  /// Queues a text message; `token` comes back with its hand-over. Messages go out in this order,
  /// the first when the connection opens; on a connection that is closing or closed, never.
  package func send(_ message: OutboundMessage, token: UInt64) {
    guard phase != .closing, phase != .closed else { return }
    queue.append(MessageCursor(message, token: token))
    pump()
  }

  /// Messages of which the last byte has not been written.
  package var messagesUnsent: Int { queue.count }

  /// Takes a message back of which no byte has been written or compressed; `false` if that is too
  /// late.
  package func cancelUnsent(token: UInt64) -> Bool {
    guard let index = queue.firstIndex(where: { $0.token == token }), !queue[index].hasBegun
    else { return false }
    queue.remove(at: index)
    return true
  }

  /// Pings the server with `id` as its eight bytes; between two fragments if need be.
  package func ping(id: UInt64) {
    guard phase == .open else { return }
    if pingsUnanswered.count >= options.pingsUnansweredMax { pingsUnanswered.removeFirst() }
    pingsUnanswered.append(id)
    writeControl(.ping, ByteBuffer(integer: id))
    flushUnlessReading()
  }

  /// Writes frames of the queued messages while the channel takes them, some in one turn of the
  /// loop, so that what is heard meanwhile (pings above all) finds its gap.
  func pump() {
    guard phase == .open, !isPumping, let channel = context?.channel else { return }
    isPumping = true
    defer { isPumping = false }
    var bytesLeft = options.turnBytesMax
    while phase == .open, channel.isWritable {
      pongsWhileFull = 0
      if let payload = pendingPong {
        pendingPong = nil
        writeControl(.pong, payload)
      }
      guard !queue.isEmpty else { break }
      guard bytesLeft > 0 else {
        schedulePump()
        break
      }
      bytesLeft -= writeNextFrame(channel.allocator)
      // Below TLS the channel learns of what was written only by the flush.
      if unflushedBytes >= FrameEncoder.fragmentBytes || !channel.isWritable { flush() }
    }
    flushUnlessReading()
  }

  /// Goes on once the loop has looked at its sockets. NIO does that only when no task is due any
  /// more, and counts those which tasks have added: hence a wait, which has to outlast the way back
  /// to the loop and nothing else.
  private func schedulePump() {
    guard !isPumpScheduled else { return }
    isPumpScheduled = true
    eventLoop.assumeIsolated().scheduleTask(in: .microseconds(50)) { [weak self] in
      self?.isPumpScheduled = false
      self?.pump()
    }
  }

  /// Gives the frame's size, or what it cost to make it. The queue must not be empty.
  private func writeNextFrame(_ allocator: ByteBufferAllocator) -> Int {
    let first = queue.startIndex
    let token = queue[first].token
    let payloadBytes = min(queue[first].bytesLeft, FrameEncoder.fragmentBytes)
    var out = allocator.buffer(capacity: payloadBytes + FrameEncoder.headerBytesMax)
    var isFinished: Bool
    var cost: Int
    if let deflater, queue[first].message.bytes >= MessageDeflater.messageBytesMin {
      (cost, isFinished) = deflater.appendNextFrame(of: &queue[first], with: &encoder, to: &out)
    } else {
      encoder.appendNextFrame(of: &queue[first], to: &out)
      (cost, isFinished) = (out.readableBytes, queue[first].isFinished)
    }
    if isFinished { queue.removeFirst() }
    if out.readableBytes > 0 { write(out) }
    if isFinished { delegate?.upstreamHandedOver(connection, token: token) }
    return cost
  }

  /// A server that pings without reading must not fill memory with pongs: while the channel is
  /// full only a few are written, then the newest is kept (RFC 6455, 5.5.3, allows that).
  func answerPing(_ payload: ByteBuffer) {
    guard phase == .open, let channel = context?.channel else { return }
    if !channel.isWritable {
      guard pongsWhileFull < options.pongsMaxWhileFull else {
        // A copy: the slice would keep all of its read alive.
        pendingPong = ByteBuffer(bytes: payload.readableBytesView)
        return
      }
      pongsWhileFull += 1
    }
    writeControl(.pong, payload)
    flushUnlessReading()
  }

  func writeControl(_ opcode: FrameOpcode, _ payload: ByteBuffer) {
    guard let channel = context?.channel else { return }
    var out = channel.allocator.buffer(
      capacity: payload.readableBytes + FrameEncoder.headerBytesMax)
    encoder.appendControl(opcode, payload, to: &out)
    write(out)
  }

  func write(_ bytes: ByteBuffer) {
    unflushedBytes += bytes.readableBytes
    context?.write(wrapOutboundOut(bytes), promise: nil)
  }

  func flush() {
    guard unflushedBytes > 0 else { return }
    unflushedBytes = 0
    context?.flush()
  }

  func flushUnlessReading() {
    if !isReading { flush() }
  }
}
