import ArgumentParser
import Foundation
import HotlineSimulator

@main
struct HotlineSimulatorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hotline-simulator",
    abstract: "A server of the upstream's kind, with a throw-away CA and faults to order.",
    discussion: """
      Prints one line when it listens, and its statistics as one JSON line when it ends on SIGTERM \
      or SIGINT. A request orders faults in its text, such as [[fault: drop after 3]], and its \
      mark mark=XYZ is repeated in every delta.
      """)

  @Option(help: "The port; 0 takes a free one.") var port = 0
  @Option(help: "The address to listen on.") var host = "127.0.0.1"
  @Flag(help: "ws without TLS.") var plain = false
  @Option(help: "Keeps certificates here and writes ca.pem and url.") var directory: String?
  @Option(help: "Appends a line to this file for each request received: connection and mark.")
  var record: String?
  @Option(help: "The only key taken; default: any that is not empty.") var key: String?
  @Option(help: "The only header that the key is taken from.") var keyHeader: String?
  @Flag(help: "Refuses who shows a key.") var keyless = false
  @Option(help: "The sub-protocol that has to be offered.") var subprotocol: String?
  @Flag(help: "Speaks as the Realtime API does.") var realtime = false
  @Option(help: "nested, flat or both.") var envelope: String?
  @Flag(help: "Refuses each member that the schema of its requests does not have.")
  var strict = false
  @Flag(help: "Takes stream_id and answers on several lanes at once.") var lanes = false
  @Flag(help: "Takes stream_id, and takes no notice of it.") var ignoreLanes = false
  @Flag(help: "Knows neither response.steer nor .inject nor .interrupt.") var noSteer = false
  @Flag(help: "Sends session.created when a connection opens.") var greeting = false
  @Flag(help: "Tells rate limits when a response begins.") var rateLimits = false
  @Option(help: "Closes a connection that was idle for so many seconds.") var idleClose: String?
  @Option(help: "Ends a connection of this age in seconds.") var ageClose: String?
  @Option(help: "Pings every so many seconds.") var pingEvery: String?
  @Option(help: "Refuses upgrades with this status.") var upgradeStatus: String?
  @Option(help: "Retry-After of refused upgrades, in seconds.") var retryAfter: String?
  @Option(help: "Refuses only the first N upgrades.") var refuseFirst: String?
  @Option(help: "Further headers of the answer to an upgrade: 'name: value; name: value'.")
  var upgradeHeaders: String?
  @Option(help: "Wait before an upgrade is answered.") var upgradeDelayMs: String?
  @Option(help: "Wait before the first delta.") var firstDeltaMs: String?
  @Option(help: "Wait before each further delta.") var gapMs: String?
  @Option(help: "Deltas of a response; default: as the echoed words need.") var deltas: String?
  @Option(help: "Faults of all requests that order none, such as 'drop after 3'.")
  var fault: String?
  @Option(help: "Sends an error event with this code right after the upgrade.")
  var errorAfterOpen: String?
  @Option(help: "Closes with this code right after the upgrade.") var closeAfterOpen: String?
  @Flag(help: "Answers no ping.") var noPong = false
  @Flag(help: "Refuses the member generate, as servers do that do not know it.")
  var noGenerate = false
  @Flag(help: "Repeats a refused key in the answer, as some servers do.") var echoKey = false
  @Option(help: "Agrees to compress: on, or parameters such as 'server_max_window_bits=10'.")
  var compression: String?
  @Option(help: "Longest message taken, in bytes.") var messageBytesMax: String?
  @Flag(help: "Takes commands on standard input, one a line, and ends with it.") var control = false
  @Flag(help: "Prints nothing of its own accord.") var quiet = false

  func run() async throws {
    signal(SIGPIPE, SIG_IGN)
    let simulator = try Simulator(simulatorConfiguration())
    try await simulator.start()
    if !quiet { say("listening \(simulator.url)") }
    let (ends, end) = AsyncStream.makeStream(of: Void.self)
    let sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler { end.yield() }
      source.resume()
      return source
    }
    if control { startControl(simulator, end) }
    for await _ in ends { break }
    sources.forEach { $0.cancel() }
    let statistics = try await simulator.statistics()
    try await simulator.stop()
    if !quiet { say(statistics.json) }
  }

  func validate() throws {
    do {
      _ = try simulatorConfiguration()
    } catch {
      throw ValidationError("\(error)")
    }
    guard (0...65_535).contains(port) else {
      throw ValidationError("port: \(port) is not in 0–65535")
    }
  }

  private func simulatorConfiguration() throws -> SimulatorConfiguration {
    var configuration = SimulatorConfiguration()
    configuration.host = host
    configuration.port = port
    configuration.isPlain = plain
    configuration.directory = directory
    configuration.recordPath = record
    let values = [
      "key": key, "key-header": keyHeader, "subprotocol": subprotocol, "envelope": envelope,
      "idle-close": idleClose, "age-close": ageClose,
      "ping-every": pingEvery, "upgrade-status": upgradeStatus, "retry-after": retryAfter,
      "refuse-first": refuseFirst, "upgrade-headers": upgradeHeaders,
      "upgrade-delay-ms": upgradeDelayMs,
      "first-delta-ms": firstDeltaMs, "gap-ms": gapMs,
      "deltas": deltas, "fault": fault, "error-after-open": errorAfterOpen,
      "close-after-open": closeAfterOpen, "compression": compression,
      "message-bytes-max": messageBytesMax,
      "greeting": "\(greeting)", "lanes": "\(lanes)", "no-pong": "\(noPong)",
      "no-generate": "\(noGenerate)", "ignore-lanes": "\(ignoreLanes)", "no-steer": "\(noSteer)",
      "strict": "\(strict)", "rate-limits": "\(rateLimits)",
      "echo-key": "\(echoKey)", "keyless": "\(keyless)", "realtime": "\(realtime)",
    ]
    for case (let name, let value?) in values.sorted(by: { $0.key < $1.key }) {
      try configuration.behaviour.set(name, to: value)
    }
    return configuration
  }

  private func startControl(
    _ simulator: Simulator, _ end: AsyncStream<Void>.Continuation
  ) {
    let (lines, line) = AsyncStream.makeStream(of: String.self)
    // Reading blocks, so it has a thread of its own.
    Thread.detachNewThread {
      while let text = readLine() { line.yield(text) }
      line.finish()
    }
    Task {
      for await text in lines { say(await simulator.perform(text)) }
      end.yield()
    }
  }
}

/// Writes a line at once, whatever standard output is.
private func say(_ line: String) {
  FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
