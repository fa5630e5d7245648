import Glibc
import NIOCore

extension StreamChannel {
  /// Bytes that were written and that the kernel has not taken.
  package var bufferedBytes: Int { writing.bytes }

  package func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard isActive, !writing.isEnding else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    let buffer = unwrapData(data, as: ByteBuffer.self)
    writing.bytes += buffer.readableBytes
    writing.pending.append((buffer, promise))
    if isWritable, writing.bytes > writing.waterMark.high {
      isWritable = false
      inbound.fireChannelWritabilityChanged()
    }
  }

  package func flush0() {
    writing.pending.mark()
    // Until the socket takes more there is nothing to try.
    if watched?.contains(.writing) != true { writeMarked() }
  }

  func writeMarked() {
    // What is flushed while a promise is kept is found by the loop that keeps it.
    guard isActive, !writing.isFlushing else { return }
    writing.isFlushing = true
    var isFull = false
    var error: CInt?
    while isActive, !isFull, error == nil, writing.pending.hasMark {
      switch writeFirst() {
      case .done: break
      case .wouldBlock: isFull = true
      case .failed(let number): error = number
      }
    }
    // Still flushing: whoever answers what is read now has nobody to write to.
    if let error { return writeFailed(error) }
    writing.isFlushing = false
    guard isActive else { return }
    watch(for: .writing, isFull)
    if writing.isEnding, writing.pending.isEmpty { endWriting() }
  }

  /// - Returns: `.done` also where only a part was taken.
  private func writeFirst() -> CallResult {
    let first = writing.pending.startIndex
    let count = writing.pending[first].0.readableBytes
    var written = 0
    if count > 0 {
      let result = writing.pending[first].0.withUnsafeReadableBytes {
        SystemCalls.write(descriptor, $0)
      }
      guard case .done(let taken) = result else { return result }
      written = taken
    }
    writing.bytes -= written
    guard written == count else {
      writing.pending[first].0.moveReaderIndex(forwardBy: written)
      return .wouldBlock
    }
    let promise = writing.pending.popFirst()?.1
    promise?.succeed()
    if !isWritable, writing.bytes < writing.waterMark.low {
      isWritable = true
      if isActive { inbound.fireChannelWritabilityChanged() }
    }
    return .done(written)
  }

  /// What the peer sent before it left is still read; that it ended first is of no use any more.
  private func writeFailed(_ number: CInt) {
    reading.mayEndAlone = false
    let error = IOError(errnoCode: number, reason: "write")
    // That of a peer that has left is an end like any other.
    if number != EPIPE { writing.failure = error }
    if reading.isWanted || reading.isAutomatic { readToEnd() }
    if isActive { fail(error) }
  }

  func endWriting() {
    writing.hasEnded = true
    SystemCalls.shutDownWriting(descriptor)
    inbound.fireUserInboundEventTriggered(ChannelEvent.outputClosed)
  }
}
