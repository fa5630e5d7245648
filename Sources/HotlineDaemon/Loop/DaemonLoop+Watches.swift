import HotlineCore
import HotlineTransport
import HotlineWire
import NIOCore

/// A client that is shown how things go, until it closes.
struct Watch {
  let options: WatchOptions
  /// The value of its `request_id` as spelt.
  let echo: [UInt8]?
  var timer: Scheduled<Void>?
}

extension DaemonLoop {
  /// `hotline.watch`: begins now; another watch of the same client takes its place.
  func watchRequested(
    _ options: WatchOptions, _ echo: [UInt8]?, by client: ClientHandler, at now: MonotonicInstant
  ) {
    watches[client.number]?.timer?.cancel()
    watches[client.number] = Watch(options: options, echo: echo)
    if options.everyMilliseconds > 0 { tick(client, at: now) }
  }

  func forgetWatch(of client: ClientHandler) {
    watches.removeValue(forKey: client.number)?.timer?.cancel()
  }

  private func tick(_ client: ClientHandler, at now: MonotonicInstant) {
    guard let watch = watches[client.number] else { return }
    // A client that does not read what it has is shown the next one.
    if client.mayRead {
      let status = StatusLine(self, echo: watch.echo, for: client.uid, at: now)
      writeOwn(to: client) { status.append(to: &$0) }
    }
    let delay = TimeAmount.milliseconds(Int64(watch.options.everyMilliseconds))
    watches[client.number]?.timer = eventLoop.assumeIsolated().scheduleTask(in: delay) {
      [weak self, weak client] in
      guard let self, let client else { return }
      // No timer goes off within a read.
      batchEnded()
      tick(client, at: self.now)
      batchEnded()
    }
  }

  /// Shows the end of a request to those who want to see such, and may.
  func tellWatches(of end: RequestEnd) {
    for (number, watch) in watches where watch.options.showsRequests {
      guard let client = clients[number], client.mayRead,
        client.uid == end.uid || seesAll(client.uid)
      else { continue }
      writeOwn(to: client) { bytes in
        LocalLine.appendLine(to: &bytes) { line in
          line.member("type", "hotline.ended")
          if let echo = watch.echo { line.member("request_id", spelling: echo) }
          line.name("request")
          end.append(to: &line)
        }
      }
    }
  }
}
