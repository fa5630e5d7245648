import Glibc
import NIOCore

/// Accepts local connections on a Unix socket that somebody else has bound. Loop only.
package final class LocalListener {
  private let descriptor: CInt
  private let loop: EpollLoop
  private let makeClient: (_ descriptor: CInt) -> ClientHandler
  private var isOpen = true

  /// Serves a bound socket, whose descriptor it takes over.
  ///
  /// - Parameters:
  ///   - descriptor: a bound `SOCK_STREAM` Unix socket, passed by systemd or made by the daemon.
  ///   - loop: the daemon loop, on which everything runs.
  ///   - backlog: connections that may wait to be accepted; listen(2) is called once more.
  ///   - makeClient: called on the loop for each connection with its descriptor.
  package init(
    descriptor: CInt, on loop: EpollLoop, backlog: Int32,
    makeClient: @escaping (_ descriptor: CInt) -> ClientHandler
  ) throws {
    self.descriptor = descriptor
    self.loop = loop
    self.makeClient = makeClient
    SystemCalls.doNotBlock(descriptor)
    guard listen(descriptor, backlog) == 0 else {
      throw IOError(errnoCode: errno, reason: "listen")
    }
    loop.watch(descriptor, for: .reading, self)
  }

  package func close() {
    guard isOpen else { return }
    isOpen = false
    loop.unwatch(descriptor, isClosing: false)
    _ = Glibc.close(descriptor)
  }

  /// How long newcomers wait where no descriptor is left for them.
  private static let pause: TimeAmount = .milliseconds(100)

  private func accept() {
    switch SystemCalls.accept(descriptor) {
    case .done(let accepted): serve(CInt(accepted))
    case .wouldBlock, .failed(ECONNABORTED): break
    case .failed: rest()
    }
  }

  private func serve(_ accepted: CInt) {
    let channel = StreamChannel(accepted, on: loop)
    do {
      // Half-close is how a client says that it has asked everything.
      try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
      try channel.pipeline.syncOperations.addHandler(makeClient(accepted))
    } catch {
      preconditionFailure("a client's channel cannot be set up: \(error)")
    }
    channel.serve()
  }

  private func rest() {
    loop.change(descriptor, to: [])
    loop.assumeIsolated().scheduleTask(in: Self.pause) { [weak self] in
      guard let self, isOpen else { return }
      loop.change(descriptor, to: .reading)
    }
  }
}

extension LocalListener: DescriptorObserver {
  /// One at a time: the others' turn comes after what else is ready.
  func descriptorBecame(_ readiness: Readiness) { accept() }
  func loopEnds() { close() }
}
