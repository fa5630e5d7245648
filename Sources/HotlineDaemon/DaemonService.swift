import HotlineCore
import HotlineSystem
import HotlineTransport
import Logging
import NIOCore

/// The daemon loop's life as a service: listening, status, watchdog, signals, the end.
///
/// Confined to the daemon loop.
final class DaemonService {
  /// How long clients and servers may take to hear of the end.
  private static let farewell: Duration = .seconds(2)
  /// The service manager hears of changes at most this often.
  private static let statusInterval: TimeAmount = .seconds(1)
  /// While accepted requests are finished, the service manager is asked for this much more time,
  /// again and again: a loop that is stuck asks no more, and is ended.
  private static let timeAsked: Duration = .seconds(15)

  private let daemon: DaemonLoop
  private let notifier: ServiceNotifier
  private let isActivated: Bool
  private let stopped: EventLoopPromise<Void>
  private var listeners: [StreamListener] = []
  private var metricsListeners: [StreamListener] = []
  private var isStatusScheduled = false
  private var farewellTimer: Scheduled<Void>?
  private var isStopping = false
  private var isStopped = false
  private var idleTimer: Scheduled<Void>?
  /// The time that it waits for, and who came last.
  private var idleness: (patience: Duration, nextClient: UInt64)?

  init(
    _ daemon: DaemonLoop, notifier: ServiceNotifier, isActivated: Bool,
    stopped: EventLoopPromise<Void>
  ) {
    self.daemon = daemon
    self.notifier = notifier
    self.isActivated = isActivated
    self.stopped = stopped
    daemon.onStop = { [weak self] in self?.stop() }
    daemon.onChange = { [weak self] in self?.changed() }
    daemon.onGone = { [weak self] in self?.gone() }
    daemon.onReload = { [weak self] isReading in self?.reloading(isReading) }
  }

  /// Listens on bound sockets, begins to dial, and tells the service manager.
  func serve(_ descriptors: [CInt]) throws {
    listeners = try descriptors.map { descriptor in
      try StreamListener(descriptor: descriptor, on: daemon.eventLoop, backlog: 1024) {
        [daemon] accepted in daemon.makeClient(descriptor: accepted)
      }
    }
    notifier.ready(status: statusText)
    feedWatchdog()
    daemon.step(.started)
    leaveWhenIdle()
  }

  /// - Parameter descriptor: of a bound Unix socket, which is taken over; nil for none.
  func serveMetrics(_ descriptor: CInt?) {
    let loop = daemon.eventLoop
    let page = { [daemon] in MetricsPage.text(daemon) }
    if let descriptor {
      listenForMetrics(at: daemon.configuration.monitoring.metricsSocket ?? "") {
        try MetricsListener.serve(descriptor: descriptor, on: loop, page)
      }
    }
    if let address = daemon.configuration.monitoring.metricsAddress {
      listenForMetrics(at: address.description) {
        try MetricsListener.serve(at: address, on: loop, page)
      }
    }
  }

  private func listenForMetrics(at place: String, _ serve: () throws -> StreamListener) {
    do {
      let listener = try serve()
      // Whoever asked for any free port has to be told which it is.
      let port = listener.port.map { " (port \($0))" } ?? ""
      metricsListeners.append(listener)
      daemon.log.info(
        "metrics can be fetched", metadata: ["at": "\(LogText.sanitized(place))\(port)"])
    } catch {
      daemon.log.error(
        "metrics cannot be fetched",
        metadata: ["at": "\(LogText.sanitized(place))", "reason": "\(error)"])
    }
  }

  // MARK: Signals

  func listen(to signals: TerminationSignals, on loop: EpollLoop) {
    loop.whenReadable(signals.descriptor) { [weak self] in
      for signal in signals.received() { self?.received(signal) }
    }
  }

  func received(_ signal: TerminationSignals.Signal) {
    switch signal {
    case .terminate, .interrupt: terminate()
    case .hangUp: daemon.reload(for: .signal)
    case .user1: logStatus()
    }
  }

  /// What `hotline status` shows, for those who have the log alone.
  private func logStatus() {
    let snapshot = daemon.broker.snapshot(at: DaemonLoop.instant)
    daemon.log.notice(
      "status",
      metadata: [
        "state": "\(snapshot.isDraining ? "draining" : "running")", "connections": "\(statusText)",
        "clients": "\(daemon.clients.count)", "requests": "\(daemon.requests.count)",
        "memory_bytes": "\(daemon.ledger.bytes)",
      ])
    for upstream in snapshot.upstreams {
      let runtime = daemon.upstreams[upstream.index.rawValue]
      guard !runtime.isRemoved else { continue }
      daemon.log.notice(
        "status of an upstream",
        metadata: [
          "upstream": "\(runtime.configuration.name)", "state": "\(upstream.state.rawValue)",
          "warm": "\(upstream.count(.ready))", "busy": "\(upstream.count(.busy))",
          "waiting": "\(upstream.waiting)",
          "last_error": "\(upstream.lastFailure?.detail ?? "none")",
        ])
    }
  }

  private func reloading(_ isReading: Bool) {
    guard !isStopping else { return }
    guard !isReading else { return notifier.reloading() }
    notifier.ready(status: statusText)
    leaveWhenIdle()
  }

  /// - Parameter reason: what was noticed.
  func networkChanged(_ reason: NetworkChanges.Change) {
    guard !isStopping else { return }
    daemon.log.info(
      "probing connections", metadata: ["because": reason == .network ? "network" : "clock jump"])
    daemon.step(.networkChanged)
  }

  private func terminate() {
    if !isStopping {
      isStopping = true
      daemon.log.info("terminating: accepted requests are finished first")
      notifier.stopping(status: stoppingText)
      askForTime()
      // Newcomers wait in the passed socket's backlog for the next daemon.
      if isActivated { closeListeners() }
    } else if isStopped {
      finish()
      return
    }
    daemon.step(.terminationRequested)
  }

  /// The service manager waits as long as `shutdown_timeout` says, whatever its own limit is.
  private func askForTime() {
    guard notifier.isEnabled, !isStopped else { return }
    notifier.extendTimeout(by: Self.timeAsked)
    notifier.status(stoppingText)
    daemon.eventLoop.assumeIsolated().scheduleTask(in: Self.statusInterval) { [weak self] in
      self?.askForTime()
    }
  }

  private func closeListeners() {
    for listener in listeners + metricsListeners { listener.close() }
    metricsListeners = []
    listeners = []
  }

  // MARK: The end

  func storeSpending() { daemon.storeSpending() }

  /// Everything accepted has its last line: say good-bye to clients and servers.
  private func stop() {
    isStopped = true
    closeListeners()
    daemon.sayGoodbye()
    farewellTimer = daemon.eventLoop.assumeIsolated().scheduleTask(
      in: .nanoseconds(Self.farewell.wholeNanoseconds)
    ) { [weak self] in self?.finish() }
    finishIfAlone()
  }

  private func finishIfAlone() {
    if daemon.clients.isEmpty, daemon.links.isEmpty { finish() }
  }

  private func finish() {
    farewellTimer?.cancel()
    farewellTimer = nil
    daemon.onGone = nil
    stopped.succeed()
  }

  // MARK: Idleness

  private func gone() {
    if isStopped { finishIfAlone() } else { leaveWhenIdle() }
  }

  private var isIdle: Bool { daemon.clients.isEmpty && daemon.requests.isEmpty }

  /// Waits for the time of `exit_when_idle` to pass without a client.
  private func leaveWhenIdle() {
    let patience = daemon.configuration.service.exitWhenIdle
    guard isActivated, !isStopping, isIdle, patience > .zero else { return }
    let nextClient = daemon.nextClient
    // Connections that come and go while nobody is here are no news.
    guard idleness.map({ $0 == (patience, nextClient) }) != true else { return }
    idleness = (patience, nextClient)
    idleTimer?.cancel()
    idleTimer = daemon.eventLoop.assumeIsolated().scheduleTask(
      in: .nanoseconds(patience.wholeNanoseconds)
    ) { [weak self] in
      guard let self, !isStopping, isIdle, daemon.nextClient == nextClient,
        daemon.configuration.service.exitWhenIdle == patience
      else { return }
      daemon.log.info("nobody was here for a while", metadata: ["exit_when_idle": "\(patience)"])
      // Whoever comes from now on waits in the socket, and has the daemon started again.
      terminate()
    }
  }

  // MARK: Service manager

  private func changed() {
    // A request may outlive its client.
    leaveWhenIdle()
    guard notifier.isEnabled, !isStatusScheduled, !isStopping else { return }
    isStatusScheduled = true
    daemon.eventLoop.assumeIsolated().scheduleTask(in: Self.statusInterval) { [weak self] in
      guard let self else { return }
      isStatusScheduled = false
      if !isStopping { notifier.status(statusText) }
    }
  }

  private var stoppingText: String {
    let count = daemon.requests.count
    return "finishing \(count) accepted request\(count == 1 ? "" : "s")"
  }

  /// `1 warm, 0 busy, 0 waiting; smartaipi ok`, with `draining: ` before it where that is so.
  private var statusText: String {
    let snapshot = daemon.broker.snapshot(at: DaemonLoop.instant)
    let warm = snapshot.upstreams.reduce(0) { $0 + $1.count(.ready) }
    let busy = snapshot.upstreams.reduce(0) { $0 + $1.count(.busy) }
    let waiting = snapshot.upstreams.reduce(0) { $0 + $1.waiting }
    let states = snapshot.upstreams.compactMap { upstream in
      let runtime = daemon.upstreams[upstream.index.rawValue]
      return runtime.isRemoved ? nil : "\(runtime.configuration.name) \(upstream.state.rawValue)"
    }
    let prefix = snapshot.isDraining ? "draining: " : ""
    return "\(prefix)\(warm) warm, \(busy) busy, \(waiting) waiting; "
      + states.joined(separator: ", ")
  }

  /// The loop itself feeds the watchdog, so that a loop that is stuck is restarted.
  private func feedWatchdog() {
    guard let timeout = notifier.watchdogTimeout else { return }
    let interval = TimeAmount.nanoseconds(timeout.wholeNanoseconds / 2)
    daemon.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { [notifier] _ in
      notifier.watchdog()
    }
  }
}
