import NIOCore
import NIOWebSocket

extension ConnectionHandler {
  /// Events between two flushes; after each flush a client that does not read is noticed.
  private static let eventsPerFlush = 32

  /// Sends what is due of the running response, and arms the timer for what comes later.
  func pump() {
    guard let run, phase == .open, run.timer == nil, !run.isSilent else { return }
    var unflushed = 0
    while self.run === run, phase == .open, !run.isSilent {
      if let fault = run.nextFault() {
        perform(fault, run)
        continue
      }
      let wait = run.wait
      if wait > .zero {
        run.timer = after(wait) { connection in
          run.timer = nil
          run.hasWaited = true
          connection.pump()
        }
        break
      }
      guard let event = run.script.next() else {
        eventsOver(run)
        break
      }
      run.hasWaited = false
      run.eventsSent += 1
      send(event, run.plan)
      unflushed += 1
      if unflushed == Self.eventsPerFlush {
        unflushed = 0
        flush()
        // A writability change calls again.
        guard context?.channel.isWritable == true else { return }
      }
    }
    flush()
  }

  /// Nothing of the response follows: the connection is free for the next request.
  func responseEnded(_ run: ResponseRun, canBeContinued: Bool) {
    endRun()
    let id = run.script.object.id
    latestResponseID = canBeContinued ? id : nil
    if canBeContinued, run.script.object.isStored { state.store(id) }
    closeIfPastAge()
  }

  /// Forgets the running response, if any.
  func endRun() {
    guard let run else { return }
    run.timer?.cancel()
    run.timer = nil
    self.run = nil
    state.responsesRunning -= 1
    placeFreed()
  }

  private func eventsOver(_ run: ResponseRun) {
    switch run.script.ending {
    case .completed:
      state.statistics.completed += 1
      responseEnded(run, canBeContinued: true)
      sayPending(run)
    case .incomplete: responseEnded(run, canBeContinued: true)
    case .failed, .cancelled: responseEnded(run, canBeContinued: false)
    case .none: run.isSilent = true
    }
  }

  private func send(_ event: String, _ plan: FaultPlan) {
    let text = plan.isPretty ? JSONText.spreadOverLines(event) : event
    if let count = plan.fragments, count > 1 {
      send(text: text, inFrames: count)
    } else {
      send(text: text)
    }
  }

  /// One message in several frames with a ping before each but the first (RFC 6455 section 5.4).
  private func send(text: String, inFrames count: Int) {
    guard let context else { return }
    state.statistics.messagesSent += 1
    var data = context.channel.allocator.buffer(string: named(text))
    let size = max(1, data.readableBytes / count)
    for index in 0..<count {
      let isFinal = index == count - 1
      let length = isFinal ? data.readableBytes : min(size, data.readableBytes)
      if index > 0 { write(.ping, ByteBuffer(integer: index)) }
      write(
        index == 0 ? .text : .continuation, data.readSlice(length: length) ?? ByteBuffer(),
        isFinal: isFinal)
    }
  }
}
