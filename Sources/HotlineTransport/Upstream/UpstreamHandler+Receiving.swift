import HotlineCore
import NIOCore

/// Frames from the server.
extension UpstreamHandler {
  func readFrames(_ input: inout ByteBuffer) {
    hasHeard = true
    do throws(FrameViolation) {
      // The delegate may close or drop from within each delivery.
      while phase == .open || phase == .closing, let event = try decoder.next(&input) {
        received(event)
      }
    } catch {
      violated(error)
    }
  }

  private func received(_ event: FrameDecoder.Event) {
    switch event {
    case .text(let payload): deliver(payload, isBinary: false)
    case .binary(let payload): deliver(payload, isBinary: true)
    case .ping(let payload): answerPing(payload)
    case .pong(let payload): pongReceived(payload)
    case .close(let frame): closeReceived(frame)
    }
  }

  private func deliver(_ payload: ByteBuffer, isBinary: Bool) {
    // Once we have closed, nobody waits for what the server still says.
    guard phase == .open else { return }
    payload.withUnsafeReadableBytes { bytes in
      delegate?.upstreamReceived(connection, bytes, isBinary: isBinary)
    }
  }

  private func pongReceived(_ payload: ByteBuffer) {
    guard phase == .open, payload.readableBytes == 8,
      let id = payload.getInteger(at: payload.readerIndex, as: UInt64.self),
      let index = pingsUnanswered.firstIndex(of: id)
    else { return }  // Unsolicited pongs are allowed (RFC 6455, 5.5.3).
    pingsUnanswered.removeSubrange(...index)
    delegate?.upstreamPong(connection, pingID: id)
  }

  private func closeReceived(_ frame: CloseFrame) {
    guard phase == .open else {
      finish(localFailure)
      closeChannel()
      return
    }
    let reason = endpoint.redactor.show(frame.reason)
    var detail =
      frame.code == 1005
      ? "the server closed the connection without a code"
      : "the server closed the connection with \(frame.code)"
    if !reason.isEmpty { detail += ": \(reason)" }
    leave(
      code: frame.code, reason: "",
      ConnectionFailure(
        .closed, detail, closeCode: Int(frame.code), closeReason: reason))
  }

  private func violated(_ violation: FrameViolation) {
    guard phase == .open else {
      finish(localFailure)
      closeChannel()
      return
    }
    var what = violation.rawValue
    if violation == .messageTooLarge { what += " of \(options.eventBytesMax) bytes" }
    leave(
      code: violation.closeCode, reason: what,
      ConnectionFailure(
        .protocolViolation, "\(what); closed with \(violation.closeCode)"))
  }

  func reportReadCompleted() {
    guard hasHeard else { return }
    hasHeard = false
    delegate?.upstreamReadCompleted(connection)
  }
}
