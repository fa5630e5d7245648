import Dispatch
import Glibc
import HotlineCore
import HotlineSystem
import HotlineTransport
import Logging
import NIOCore
import Synchronization
import TestSupport

@testable import HotlineDaemon

/// A daemon loop with a real Unix socket in front and, unless told otherwise, an upstream behind
/// that takes TCP connections and stays silent, so that the test speaks in its place.
final class LoopRig: Sendable {
  private let loop = EpollLoop()
  private let bound: NIOLoopBound<DaemonLoop>
  private let listener: NIOLoopBound<StreamListener>
  private let silentServer: CInt
  private let world: Mutex<World>
  let directory: String
  /// The upstream's.
  let url: String

  /// - Parameters:
  ///   - url: the upstream's; nil for the silent one.
  ///   - change: what is other than by default; one connection, kept warm, is the default.
  init(
    url: String? = nil, ownerUID: UInt32 = getuid(),
    log: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
    _ change: (inout Configuration) -> Void = { _ in }
  ) throws {
    var template = Array("/tmp/hotline-XXXXXX".utf8CString)
    directory = mkdtemp(&template).map { String(cString: $0) } ?? ""
    let (server, port) = SilentServer.listen()
    silentServer = server
    self.url = url ?? "ws://127.0.0.1:\(port)/v1/realtime"
    var world = World(Self.file(self.url))
    world.options.socket = directory + "/s"
    world.keys[.environment("HOTLINE_API_KEY")] = "sk-test"
    self.world = Mutex(world)
    var configuration = try world.load()
    change(&configuration)
    let runtimes = try configuration.upstreams.map { upstream in
      try UpstreamRuntime(
        upstream, key: try Secret(Array("sk-test".utf8)), defaults: configuration.defaults)
    }
    let loop = loop
    let settled = configuration
    bound = try loop.submit {
      NIOLoopBound(
        DaemonLoop(
          configuration: settled, upstreams: runtimes, eventLoop: loop, log: log,
          ownerUID: ownerUID, seed: 1),
        eventLoop: loop)
    }.wait()
    let descriptor = try UnixSocket.bind(directory + "/s")
    listener = try loop.submit { [bound] in
      let listener = try StreamListener(descriptor: descriptor, on: loop, backlog: 16) { accepted in
        bound.value.makeClient(descriptor: accepted)
      }
      return NIOLoopBound(listener, eventLoop: loop)
    }.wait()
    let loader = ConfigurationLoader(
      options: world.options, surroundings: surroundings, socketIsPassed: false)
    try onLoop { daemon in
      daemon.loader = loader
      daemon.step(.started)
    }
  }

  /// The configuration that every rig begins with.
  static func file(_ url: String, upstream: String = "", sections: String = "") -> String {
    """
    default_upstream = "test"
    \(sections)
    [upstream.test]
    url = "\(url)"
    connections_warm = 1
    connections_max = 1
    \(upstream)
    """
  }

  /// What the loader sees: the world as it is when it looks.
  private var surroundings: Surroundings {
    let (environment, home) = world.withLock { ($0.environment, $0.home) }
    return Surroundings(
      environment: environment, home: home,
      readFile: { [unowned self] path, bytesMax in
        let (surroundings, gate) = world.withLock { ($0.surroundings, $0.gate) }
        gate?.wait()
        return surroundings.readFile(path, bytesMax)
      },
      readSecret: { [unowned self] source in
        world.withLock { $0.surroundings }.readSecret(source)
      })
  }

  /// Changes what the next reading of the configuration finds.
  func changeWorld(_ change: (inout World) -> Void) {
    world.withLock { change(&$0) }
  }

  /// Writes the configuration file and reloads it, by a client that stays for nothing else.
  ///
  /// - Returns: the answer.
  @discardableResult
  func reload(_ toml: String) throws -> String {
    changeWorld { $0.files[World.file] = toml }
    let client = try connect()
    try client.write(#"{"type":"hotline.reload","request_id":"reload"}"# + "\n")
    client.shutDownWriting()
    return try client.readToEnd()
  }

  deinit {
    try? loop.submit { [listener] in listener.value.close() }.wait()
    // Connections that the group's end breaks would set a timer on a loop that is no more.
    try? onLoop { daemon in
      daemon.step(.terminationRequested)
      daemon.step(.terminationRequested)
      daemon.sayGoodbye()
    }
    close(silentServer)
    unlink(directory + "/s")
    rmdir(directory)
    loop.shutdownGracefully { _ in }
  }

  func connect() throws -> UnixSocket {
    let client = try UnixSocket(connectedTo: directory + "/s")
    client.checker = LineChecker(.daemon)
    return client
  }

  func onLoop<Result: Sendable>(
    _ body: @escaping @Sendable (DaemonLoop) throws -> Result
  ) throws -> Result {
    try loop.submit { [bound] in try body(bound.value) }.wait()
  }

  /// Waits until the loop's state is as wished; false if it never is.
  func waits(until condition: @escaping @Sendable (DaemonLoop) -> Bool) throws -> Bool {
    let deadline = Deadline()
    while try !onLoop(condition) {
      if deadline.isReached { return false }
      usleep(2000)
    }
    return true
  }

  /// Everything that ends with its request or its client is gone.
  func isEmpty() throws -> Bool {
    try waits { daemon in
      daemon.requests.isEmpty && daemon.clients.isEmpty && daemon.ledger.bytes == 0
        && daemon.links.values.allSatisfy { $0.runningInWords == "nothing" }
        && daemon.commands.isEmpty && !daemon.isInBatch
    }
  }
}

/// The silent upstream's part, spoken by the test on the loop.
extension DaemonLoop {
  /// The one connection that is not closed.
  var link: UpstreamLink? { links.values.min { $0.number < $1.number } }

  func open(_ headers: UpgradeFacts.Header...) {
    guard let link else { return }
    var facts = UpgradeFacts()
    facts.headers = headers
    upstreamOpened(link.number, facts)
  }

  /// What runs has been handed over, and this came back in one read.
  func answer(_ messages: String...) {
    guard let link else { return }
    for record in requests.values where record.connection == link.number {
      upstreamHandedOver(link.number, token: record.number.rawValue)
    }
    for message in messages { receive(message) }
    upstreamReadCompleted(link.number)
  }

  /// One message; its memory is gone when this returns.
  func receive(_ message: String, isBinary: Bool = false) {
    guard let link else { return }
    let count = message.utf8.count
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    memory.copyBytes(from: message.utf8)
    upstreamReceived(link.number, UnsafeRawBufferPointer(memory), isBinary: isBinary)
    memory.initializeMemory(as: UInt8.self, repeating: 0x23)
    memory.deallocate()
  }
}

extension UpstreamLink {
  var isPatienceSpent: Bool {
    patience.state == .spent
  }
}
