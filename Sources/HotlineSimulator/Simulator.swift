import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A server that speaks the upstream's protocol on one event loop, with faults to order.
///
/// Shares no code with the client's side. All methods may be called from any thread but the loop's.
package final class Simulator: Sendable {
  /// The certificate that signed the server's; empty without TLS.
  package let authorityPEM: String

  private struct Listening {
    var socket: (any Channel)?
    var port: Int
    /// From the first ``start()`` on, while paused too: nobody else can get the port in between.
    var reservation: PortReservation?
  }

  private let configuration: SimulatorConfiguration
  private let tlsContext: TLSServerContext?
  private let group: MultiThreadedEventLoopGroup
  private let state: NIOLoopBoundBox<SimulatorState>
  private let listening: Mutex<Listening>

  /// Makes or reads certificates; listens to nothing yet.
  ///
  /// - Throws: `SimulatorError` when OpenSSL fails or a file of its own cannot be written.
  package init(_ configuration: SimulatorConfiguration) throws {
    self.configuration = configuration
    if configuration.isPlain {
      authorityPEM = ""
      tlsContext = nil
    } else {
      let certificates =
        try configuration.directory.map(Certificates.loadOrMake(in:)) ?? Certificates.make()
      authorityPEM = certificates.authorityPEM
      tlsContext = try TLSServerContext(certificates)
    }
    let record = try configuration.recordPath.map(RequestRecord.init(path:))
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    state = .makeBoxSendingValue(
      SimulatorState(loop: loop, behaviour: configuration.behaviour, record: record),
      eventLoop: loop)
    listening = Mutex(Listening(socket: nil, port: configuration.port, reservation: nil))
  }

  /// The port listened on, the configured one before the first ``start()``.
  package var port: Int { listening.withLock { $0.port } }

  /// Where a client connects to.
  package var url: String {
    "\(configuration.isPlain ? "ws" : "wss")://localhost:\(port)/v1/realtime"
  }

  /// Listens, after ``pause()`` on the same port again, and writes the file `url`.
  ///
  /// - Returns: the port.
  /// - Throws: what `bind` says, `SimulatorError` when the file cannot be written.
  @discardableResult
  package func start() async throws -> Int {
    reservePort()
    let socket = try await makeBootstrap().bind(host: configuration.host, port: port)
      .map { [state] socket in
        state.value.statistics.listens(at: .now())
        return socket
      }.get()
    let bound = socket.localAddress?.port ?? 0
    listening.withLock {
      $0.socket = socket
      $0.port = bound
    }
    if let directory = configuration.directory {
      // Without TLS there were no certificates to make it for.
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
      try Certificates.write(url + "\n", to: "\(directory)/url", mode: 0o644)
    }
    return bound
  }

  /// Stops listening, so that new connections are refused by the kernel; open ones stay. The port
  /// is kept for the next ``start()``.
  package func pause() async throws {
    try await closeListener()
  }

  private func reservePort() {
    listening.withLock { listening in
      guard listening.reservation == nil else { return }
      listening.reservation = PortReservation(host: configuration.host, port: listening.port)
      listening.port = listening.reservation?.port ?? listening.port
    }
  }

  private func closeListener() async throws {
    let socket = listening.withLock { listening in
      defer { listening.socket = nil }
      return listening.socket
    }
    guard let socket else { return }
    // A process that is being started at this moment has the socket until it is another program,
    // and the kernel would accept connections for so long: shutting it down refuses them at once.
    try await socket.eventLoop.submit {
      _ = try socket.pipeline.syncOperations.withUnsafeTransportIfAvailable(
        of: NIOBSDSocket.Handle.self
      ) { shutdown($0, Int32(SHUT_RDWR)) }
      socket.close(promise: nil)
    }.get()
    try await socket.closeFuture.get()
  }

  /// Stops listening, drops all connections and ends the loop; the simulator cannot start again.
  package func stop() async throws {
    try await closeListener()
    try await end(.drop)
    try await group.shutdownGracefully()
  }

  /// What has been seen so far.
  package func statistics() async throws -> SimulatorStatistics {
    try await withState { $0.statistics }
  }

  /// Changes the behaviour for what comes.
  package func update(
    _ body: @escaping @Sendable (inout SimulatorBehaviour) -> Void
  ) async throws {
    try await withState { body(&$0.behaviour) }
  }

  /// Ends all connections in this way; `.dead` keeps the sockets open and silent.
  package func end(_ fault: Fault) async throws {
    try await withState { state in
      for connection in state.connections.values { connection.end(fault) }
      if case .dead = fault { return }
      // Those that have not become WebSockets yet.
      for (number, channel) in state.channels where state.connections[number] == nil {
        channel.close(promise: nil)
      }
    }
  }

  /// Sends a text message on all connections.
  package func send(_ text: String) async throws {
    try await withState { state in
      for connection in state.connections.values {
        connection.send(text: text)
        connection.flush()
      }
    }
  }

  private func withState<Result: Sendable>(
    _ body: @escaping @Sendable (SimulatorState) throws -> Result
  ) async throws -> Result {
    try await group.next().submit { [state] in try body(state.value) }.get()
  }

  private func makeBootstrap() -> ServerBootstrap {
    ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.maxMessagesPerRead, value: 4)
      .childChannelInitializer { [state, tlsContext] channel in
        channel.eventLoop.makeCompletedFuture {
          try ConnectionPipeline.configure(channel, state, tlsContext)
        }
      }
  }
}
