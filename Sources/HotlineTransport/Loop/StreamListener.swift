import Glibc
import NIOCore

/// Accepts connections on a stream socket that somebody else has bound. Loop only.
package final class StreamListener {
  private let descriptor: CInt
  private let loop: EpollLoop
  private let makeHandler: (_ descriptor: CInt) -> (any ChannelHandler)?
  private var isOpen = true

  /// Serves a bound socket, whose descriptor it takes over.
  ///
  /// - Parameters:
  ///   - descriptor: a bound `SOCK_STREAM` socket, passed by systemd or made by the daemon.
  ///   - loop: the daemon loop, on which everything runs.
  ///   - backlog: connections that may wait to be accepted; listen(2) is called once more.
  ///   - makeHandler: called on the loop for each connection with its descriptor; one that gets no
  ///     handler is closed.
  package init(
    descriptor: CInt, on loop: EpollLoop, backlog: Int32,
    makeHandler: @escaping (_ descriptor: CInt) -> (any ChannelHandler)?
  ) throws {
    self.descriptor = descriptor
    self.loop = loop
    self.makeHandler = makeHandler
    SystemCalls.doNotBlock(descriptor)
    guard listen(descriptor, backlog) == 0 else {
      throw IOError(errnoCode: errno, reason: "listen")
    }
    loop.watch(descriptor, for: .reading, self)
  }

  /// A socket for a listener.
  ///
  /// - Throws: `IOError`.
  package static func bind(_ address: SocketAddress) throws(IOError) -> CInt {
    let result = address.withSockAddr { pointer, length in
      SystemCalls.boundSocket(
        address.protocol.rawValue, at: UnsafeRawPointer(pointer), length: length)
    }
    switch result {
    case .done(let descriptor): return CInt(descriptor)
    case .failed(let number): throw IOError(errnoCode: number, reason: "bind")
    case .wouldBlock: throw IOError(errnoCode: EAGAIN, reason: "bind")
    }
  }

  /// Of a TCP socket: where it listens.
  package var port: UInt16? { SystemCalls.port(of: descriptor) }

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
    guard let handler = makeHandler(accepted) else {
      _ = Glibc.close(accepted)
      return
    }
    let channel = StreamChannel(accepted, on: loop)
    do {
      // Half-close is how a client says that it has asked everything.
      try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
      try channel.pipeline.syncOperations.addHandler(handler)
    } catch {
      preconditionFailure("a channel cannot be set up: \(error)")
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

extension StreamListener: DescriptorObserver {
  /// One at a time: the others' turn comes after what else is ready.
  func descriptorBecame(_ readiness: Readiness) { accept() }
  func loopEnds() { close() }
}
