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

  private let daemon: DaemonLoop
  private let notifier: ServiceNotifier
  private let isActivated: Bool
  private let stopped: EventLoopPromise<Void>
  private var listeners: [any Channel] = []
  private var isStatusScheduled = false
  private var farewellTimer: Scheduled<Void>?
  private var isStopping = false
  private var isStopped = false

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
    daemon.onReload = { [weak self] isReading in self?.reloading(isReading) }
  }

  /// Listens on bound sockets, begins to dial, and tells the service manager.
  func serve(_ descriptors: [CInt]) -> EventLoopFuture<Void> {
    let loop = daemon.eventLoop
    let bound = NIOLoopBound(daemon, eventLoop: loop)
    let futures = descriptors.map { descriptor in
      LocalListener.serve(descriptor: descriptor, on: loop, backlog: 1024) { accepted in
        bound.value.makeClient(descriptor: accepted)
      }
    }
    return EventLoopFuture.whenAllSucceed(futures, on: loop).assumeIsolated()
      .map { [self] channels in
        listeners = channels
        notifier.ready(status: statusText)
        feedWatchdog()
        daemon.step(.started)
      }.nonisolated()
  }

  // MARK: Signals

  func received(_ signal: TerminationSignals.Signal) {
    switch signal {
    case .terminate, .interrupt: terminate()
    case .hangUp: daemon.reload(for: .signal)
    case .user1: break
    }
  }

  private func reloading(_ isReading: Bool) {
    guard !isStopping else { return }
    if isReading { notifier.reloading() } else { notifier.ready(status: statusText) }
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
      notifier.stopping(status: "finishing accepted requests")
      // Newcomers wait in the passed socket's backlog for the next daemon.
      if isActivated { closeListeners() }
    } else if isStopped {
      finish()
      return
    }
    daemon.step(.terminationRequested)
  }

  private func closeListeners() {
    for listener in listeners { listener.close(promise: nil) }
    listeners = []
  }

  // MARK: The end

  /// Everything accepted has its last line: say good-bye to clients and servers.
  private func stop() {
    isStopped = true
    closeListeners()
    daemon.onGone = { [weak self] in self?.finishIfAlone() }
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

  // MARK: Service manager

  private func changed() {
    guard notifier.isEnabled, !isStatusScheduled, !isStopping else { return }
    isStatusScheduled = true
    daemon.eventLoop.assumeIsolated().scheduleTask(in: Self.statusInterval) { [weak self] in
      guard let self else { return }
      isStatusScheduled = false
      if !isStopping { notifier.status(statusText) }
    }
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
