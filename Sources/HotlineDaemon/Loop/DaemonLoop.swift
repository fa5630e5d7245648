import DequeModule
import HotlineCore
import HotlineSystem
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

/// The driver: brings every input to the broker and performs what it answers.
///
/// Owns all mutable state of the daemon and lives on one event loop. An input that arrives while
/// actions are performed waits its turn; it is never handled inside another input.
final class DaemonLoop {
  /// A fact for the broker, with what the actions that answer it may refer to as "at hand".
  enum Input {
    case line(ClientHandler, ByteBuffer, ClientMessage)
    /// A line of which nothing was kept.
    case lineRefused(ClientHandler, HotlineError)
    case clientConnected(ClientHandler)
    case clientHalfClosed(ClientHandler)
    case clientClosed(ClientHandler)
    case opened(ConnectionNumber)
    case event(ConnectionNumber, UpstreamEvent)
    /// An event that came while actions were performed; its bytes were the reader's.
    case message(ConnectionNumber, [UInt8], isBinary: Bool)
    case handedOver(RequestNumber, on: ConnectionNumber)
    /// A message about a running response could not be sent; its client knows.
    case controlWithdrawn(ControlMessage, for: RequestNumber)
    case pong(ConnectionNumber, pingID: UInt64)
    case rateLimits([RateLimit], of: UpstreamIndex)
    case closed(ConnectionNumber, ConnectionFailure)
    case terminationRequested
    case networkChanged
    case deadlineReached
    case started
    case configurationRead(Result<ConfigurationLoader.Loaded, ConfigurationError>)
  }

  let eventLoop: EpollLoop
  /// What it runs by; a reload replaces it.
  var configuration: Configuration
  var limits: Limits { configuration.limits }
  /// All that there ever were, by ``HotlineCore/UpstreamIndex``.
  var upstreams: [UpstreamRuntime]
  /// Those that requests may go to.
  private(set) var upstreamsByName: [ByteString: UpstreamIndex] = [:]
  private(set) var defaultUpstream = UpstreamIndex(0)
  /// Reads the configuration again; to be set before anything may ask for that.
  var loader: ConfigurationLoader?
  var log: Logger
  let startedAt: MonotonicInstant
  /// The same in seconds since 1970, as the wall clock showed it then.
  let startTime = LocalCalendar.now()
  /// Called once, when everything accepted is finished.
  var onStop: (() -> Void)?
  /// Called when something that a status line shows may have changed.
  var onChange: (() -> Void)?
  /// Called with true when the configuration begins to be read again, with false when that is over.
  var onReload: ((_ isReading: Bool) -> Void)?
  /// Called when a client or a connection is gone.
  var onGone: (() -> Void)?

  var broker: Broker
  var clients: [ClientNumber: ClientHandler] = [:]
  var links: [ConnectionNumber: UpstreamLink] = [:] {
    didSet { latestLink = nil }
  }
  /// The one of ``links`` that was wanted last: most events come in batches of one connection.
  private var latestLink: UpstreamLink?
  var requests: [RequestNumber: RequestRecord] = [:]
  let buffers = BufferPool()
  let ledger: MemoryLedger
  let dialer: UpstreamDialer
  var nextClient: UInt64 = 1
  /// Lines that are answered later than they came.
  var commands: [CommandNumber: PendingCommand] = [:]
  var nextCommand: UInt64 = 1
  var reloads = ReloadQueue()
  /// The daemon was told to end.
  private(set) var isTerminating = false

  /// Clients with lines to flush.
  private var dirty: [ClientHandler] = []
  private var isFlushing = false
  /// The timer may be too late for what the last steps have changed.
  private var needsRearming = false
  /// A batch is being read: the flush and the timer come at its end.
  private(set) var isInBatch = false
  /// The instant of the batch, so that its events need not look at the clock each.
  private var batchNow: MonotonicInstant?
  private var inputs: Deque<Input> = []
  private(set) var isStepping = false
  private var timer: Scheduled<Void>?
  private(set) var timerAt: MonotonicInstant?
  /// What the input that is being handled brought.
  var atHand = AtHand.nothing
  var scratch: [UInt8] = []
  /// What ``scratch`` may keep from one input to the next.
  private static let scratchBytesMax = 1 << 20
  var hangUpHint = HangUpHint()
  var statistics = Statistics()
  var spending = Spending()
  /// Where ``spending`` outlives the daemon; nil for nowhere.
  var spendingFile: SpendingFile?
  var isStoreScheduled = false
  /// Where ended requests are noted; nil for nowhere.
  var accessLog: AccessLog?
  var watches: [ClientNumber: Watch] = [:]
  /// Seconds since 1970, by the clock that may be set; decides nothing but what day it is, and how
  /// long a rate limit lasts of which a server says only at which instant it ends.
  var wallClock: () -> Int64 = LocalCalendar.now
  var calendar: (Int64) -> CalendarDay = LocalCalendar.day
  /// The latest that was asked for.
  var latestDay: CalendarDay?

  enum AtHand {
    case nothing
    case request(ClientHandler, ClientRequest, ByteBuffer, idSpelling: [UInt8]?, UpstreamIndex)
    case control(ClientHandler, ForwardedMessage, ByteBuffer)
    case line(ClientHandler, idSpelling: [UInt8]?)
    case event(UpstreamEvent)
  }

  init(
    configuration: Configuration, upstreams: [UpstreamRuntime], eventLoop: EpollLoop,
    log: Logger, ownerUID: UInt32, seed: UInt64
  ) {
    self.eventLoop = eventLoop
    self.configuration = configuration
    self.upstreams = upstreams
    self.log = log
    broker = Broker(
      limits: configuration.limits, upstreams: upstreams.map(\.configuration.settings),
      ownerUID: ownerUID, seed: seed)
    ledger = MemoryLedger(limit: configuration.limits.memoryBytesMax)
    dialer = UpstreamDialer(eventLoop: eventLoop)
    startedAt = Self.instant
    nameUpstreams(default: configuration.upstreams[configuration.defaultUpstream].name)
  }

  /// Makes the upstreams that are configured known by their names.
  func nameUpstreams(default name: String) {
    upstreamsByName = [:]
    for (index, upstream) in upstreams.enumerated() where !upstream.isRemoved {
      upstreamsByName[ByteString(upstream.configuration.name.utf8)] = UpstreamIndex(index)
    }
    guard let index = upstreamsByName[ByteString(name.utf8)] else {
      preconditionFailure("the default upstream is not among the upstreams")
    }
    defaultUpstream = index
  }

  // MARK: Time

  static var instant: MonotonicInstant {
    MonotonicInstant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
  }

  var now: MonotonicInstant {
    if let batchNow { return batchNow }
    let instant = Self.instant
    if isInBatch { batchNow = instant }
    return instant
  }

  /// Arms the one timer for the broker's next deadline. A timer that is too early is left alone:
  /// early is harmless, and most deadlines only move away.
  private func rearm() {
    guard let next = broker.nextDeadline(at: now) else { return }
    if let timerAt, timerAt <= next { return }
    timer?.cancel()
    timerAt = next
    let deadline = NIODeadline.uptimeNanoseconds(UInt64(clamping: next.nanoseconds))
    timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
      self?.timer = nil
      self?.timerAt = nil
      // No timer goes off within a read.
      self?.batchEnded()
      self?.step(.deadlineReached)
    }
  }

  // MARK: Stepping

  func step(_ input: Input) {
    guard !isStepping else {
      inputs.append(input)
      return
    }
    isStepping = true
    // Nothing waits while no step is under way.
    handle(input)
    while let next = inputs.popFirst() { handle(next) }
    isStepping = false
    needsRearming = true
    if !isInBatch { settle() }
  }

  /// What many steps have in common, once for all of them.
  private func settle() {
    if needsRearming {
      needsRearming = false
      rearm()
    }
    flushClients()
  }

  private func handle(_ input: Input) {
    let now = now
    switch input {
    case .line(let client, let line, let message):
      lineArrived(message, line, from: client, at: now)
    case .lineRefused(let client, let error):
      atHand = .line(client, idSpelling: nil)
      perform(broker.requestRefused(error, from: client.number))
    case .clientConnected(let client):
      atHand = .line(client, idSpelling: nil)
      admit(client, at: now)
    case .clientHalfClosed(let client):
      // A half-close does not end a watch.
      guard !awaitsReload(client), watches[client.number] == nil else { break }
      perform(broker.clientHalfClosed(client.number, at: now))
    case .clientClosed(let client):
      perform(broker.clientClosed(client.number, at: now))
    case .event(let connection, let event):
      eventArrived(event, on: connection, at: now)
    case .message(let connection, let bytes, let isBinary):
      bytes.withUnsafeBytes { message in
        eventArrived(UpstreamEvent(message, isBinary: isBinary), on: connection, at: now)
      }
    case .handedOver(let request, let connection):
      broker.requestHandedOver(request, on: connection)
    case .controlWithdrawn(let message, let request):
      perform(broker.controlWithdrawn(message, for: request, at: now))
    case .opened, .pong, .closed:
      handleConnection(input, at: now)
    case .rateLimits(let limits, let upstream):
      perform(broker.rateLimitsSaid(limits, by: upstream, at: now))
    case .terminationRequested:
      isTerminating = true
      refuseReloads()
      perform(broker.terminationRequested(at: now))
    case .networkChanged:
      perform(broker.networkChanged(at: now))
    case .deadlineReached:
      perform(broker.deadlineReached(at: now))
    case .started:
      perform(broker.started(at: now))
    case .configurationRead(let result):
      configurationRead(result, at: now)
    }
    atHand = .nothing
    // One giant line must not cost its memory for ever.
    if scratch.capacity > Self.scratchBytesMax { scratch = [] }
  }

  func link(_ connection: ConnectionNumber) -> UpstreamLink? {
    if let latestLink, latestLink.number == connection { return latestLink }
    latestLink = links[connection]
    return latestLink
  }

  private func handleConnection(_ input: Input, at now: MonotonicInstant) {
    switch input {
    case .opened(let connection):
      guard let link = links[connection] else { return }
      perform(
        broker.connectionOpened(
          connection, of: link.upstream, mayWarmUp: mayWarmUp(link.upstream), at: now))
      onChange?()
    case .pong(let connection, let pingID):
      guard let link = links[connection] else { return }
      perform(broker.pongReceived(id: pingID, on: connection, of: link.upstream, at: now))
    case .closed(let connection, let failure):
      guard let link = links.removeValue(forKey: connection) else { return }
      ledger.change(by: -link.bytesAccounted)
      upstreams[link.upstream.rawValue].bytesSaved += link.handler?.bytesSaved ?? 0
      perform(broker.connectionClosed(connection, of: link.upstream, failure, at: now))
      onChange?()
      onGone?()
    default:
      preconditionFailure("not an input about a connection")
    }
  }

  /// Ends all connections: clients get what is still unwritten, servers a close frame.
  func sayGoodbye() {
    for client in clients.values.sorted(by: { $0.number < $1.number }) { client.close() }
    for link in links.values.sorted(by: { $0.number < $1.number }) {
      link.handler?.close(code: 1000, reason: "")
    }
  }

  // MARK: Batches

  /// Several inputs come from one read: their lines are flushed together.
  func batchBegan() {
    isInBatch = true
  }

  func batchEnded() {
    isInBatch = false
    batchNow = nil
    // A step that is under way does it at its own end.
    if !isStepping { settle() }
  }

  func markDirty(_ client: ClientHandler) {
    guard !client.isMarkedDirty else { return }
    client.isMarkedDirty = true
    dirty.append(client)
  }

  /// A flush may find out that its client is gone, and with that bring more input and lines: they
  /// join the list that is being gone through.
  private func flushClients() {
    guard !dirty.isEmpty, !isFlushing else { return }
    isFlushing = true
    var index = 0
    while index < dirty.count {
      let client = dirty[index]
      index += 1
      client.isMarkedDirty = false
      if client.halfClosedAt != nil { client.lastWriteAt = now }
      client.flush()
    }
    dirty.removeAll(keepingCapacity: true)
    isFlushing = false
  }
}
