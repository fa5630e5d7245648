import Foundation
import TestSupport
import Testing

/// A running simulator: a real wss server in a process of its own.
final class SimulatorProcess {
  let process: ChildProcess
  let url: String
  /// The certificate authority that signed the server's certificate.
  let caFile: String
  private var answersRead = 1

  /// - Parameters:
  ///   - port: 0 takes a free one.
  ///   - directory: where its certificates are kept, so that a second start has the same.
  init(_ flags: [String] = [], port: Int = 0, in directory: TemporaryDirectory) throws {
    let state = directory("simulator")
    process = try ChildProcess(
      Requires.program("hotline-simulator"),
      ["--control", "--port", "\(port)", "--directory", state] + flags)
    let line = try process.standardOutput.waitForLine(containing: "listening ")
    url = String(line.dropFirst("listening ".count))
    caFile = state + "/ca.pem"
  }

  var port: Int { Int(url.split(separator: ":").last?.prefix { $0.isNumber } ?? "") ?? 0 }

  /// Has the simulator obey one command and returns its answer.
  @discardableResult
  func command(_ text: String) throws -> JSON {
    try process.write(text + "\n")
    let index = answersRead
    answersRead += 1
    let answer = try process.standardOutput.wait(for: "an answer to \(text)") { bytes in
      let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
      return lines.count > index ? Array(lines[index]) : nil
    }
    let json = try JSON(parsing: answer)
    if let error = json.error.string { throw TestFailure("the simulator says: \(error)") }
    return json
  }

  func statistics() throws -> JSON { try command("stats") }

  /// Polls the statistics until they satisfy a condition.
  @discardableResult
  func waitForStatistics(_ what: String, _ condition: (JSON) -> Bool) throws -> JSON {
    try poll(for: what) {
      let statistics = try self.statistics()
      return condition(statistics) ? statistics : nil
    }
  }

  /// The end of a machine, as its clients see it.
  func killAtOnce() throws {
    process.send(SIGKILL)
    try process.waitForEnd()
  }
}

/// A running `hotlined`.
final class DaemonProcess: Sendable {
  let process: ChildProcess
  let socketPath: String

  /// Starts it and waits until it listens.
  ///
  /// - Parameter configuration: the content of its configuration file.
  convenience init(
    _ configuration: String, in directory: TemporaryDirectory, arguments: [String] = [],
    environment: [String: String] = [:]
  ) throws {
    let file = try directory.write("config.toml", configuration)
    let socket = directory("s")
    let process = try ChildProcess(
      Requires.program("hotlined"), ["--config", file, "--socket", socket] + arguments,
      environment: Self.environment(environment, in: directory))
    try self.init(process, socketPath: socket)
  }

  init(_ process: ChildProcess, socketPath: String) throws {
    self.process = process
    self.socketPath = socketPath
    try process.standardError.waitForLine(containing: "listening")
  }

  /// Nothing of the user's own is found, and one key is.
  static func environment(
    _ own: [String: String] = [:], in directory: TemporaryDirectory
  ) -> [String: String] {
    [
      "HOME": directory.path, "XDG_RUNTIME_DIR": directory.path,
      "HOTLINE_API_KEY": "key-of-the-tests",
    ].merging(own) { _, new in new }.filter { !$0.value.isEmpty }
  }

  /// A client that keeps the daemon running.
  func client() throws -> LineClient { try LineClient(socketPath, keeping: self) }

  func status() throws -> JSON {
    try client().answer(to: #"{"type":"hotline.status"}"#).json
  }

  @discardableResult
  func waitForStatus(
    _ what: String, within duration: Duration = Deadline.usual, _ condition: (JSON) -> Bool
  ) throws -> JSON {
    let client = try client()
    return try poll(for: "status: \(what)", within: duration) {
      let status = try client.answer(to: #"{"type":"hotline.status"}"#).json
      return condition(status) ? status : nil
    }
  }

  /// Waits until the first upstream has this many connections that wait for work.
  @discardableResult
  func waitUntilWarm(_ count: Int = 1, within duration: Duration = Deadline.usual) throws -> JSON {
    try waitForStatus("\(count) warm", within: duration) { $0.readyConnections.count >= count }
  }

  var log: String { process.standardError.text }
}

extension JSON {
  /// In a status: what the first upstream has ready.
  var readyConnections: [JSON] {
    self.upstreams[0].connections.array.filter { $0.state.string == "ready" }
  }

  /// In a status: the first upstream's connections that run a response.
  var busyConnections: [JSON] {
    self.upstreams[0].connections.array.filter { $0.state.string == "busy" }
  }
}

/// A daemon whose one upstream, `sim`, is a simulator; both end with the value.
final class Rig {
  let directory: TemporaryDirectory
  let simulator: SimulatorProcess
  let daemon: DaemonProcess
  /// Where programs connect that speak to the daemon themselves, so that each line is judged.
  let tap: LineTap

  /// - Parameters:
  ///   - flags: the simulator's.
  ///   - upstream: more lines for `[upstream.sim]`.
  ///   - sections: more sections for the configuration.
  ///   - isWarm: whether to wait for the first connection.
  init(
    _ flags: [String] = [], upstream: String = "", sections: String = "",
    arguments: [String] = [], environment: [String: String] = [:], isWarm: Bool = true
  ) throws {
    directory = try TemporaryDirectory()
    simulator = try SimulatorProcess(flags, in: directory)
    daemon = try DaemonProcess(
      Self.configuration(simulator, upstream: upstream, sections: sections), in: directory,
      arguments: arguments, environment: environment)
    tap = try LineTap(daemon.socketPath, in: directory)
    if isWarm { try daemon.waitUntilWarm() }
  }

  static func configuration(
    _ simulator: SimulatorProcess, upstream: String = "", sections: String = ""
  ) -> String {
    """
    default_upstream = "sim"
    \(sections)
    [upstream.sim]
    url = "\(simulator.url)"
    ca_file = "\(simulator.caFile)"
    \(upstream)
    """
  }

  /// A client that keeps both running.
  func client() throws -> LineClient { try LineClient(daemon.socketPath, keeping: self) }

  /// Runs the `hotline` command against the daemon, to its end; its lines have to be good ones.
  func hotline(_ arguments: [String], input: String = "") throws
    -> (end: ChildProcess.End, output: String, errors: String)
  {
    try ChildProcess.run(
      Requires.program("hotline"), arguments, input: input,
      environment: ["HOTLINE_SOCKET": tap.path, "HOME": directory.path])
  }

  /// Has a request `running` on the only connection for a second, and `waiting` wait for it.
  func occupy(by client: LineClient) throws {
    try client.send(request("[[fault: delay 800, gap 50]] one", id: "running"))
    try daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    try client.send(request("two", id: "waiting"))
    try daemon.waitForStatus("waiting") { $0.queue.waiting.integer == 1 }
  }
}

/// A request in the nested envelope.
///
/// - Parameters:
///   - options: the members of `hotline`.
///   - more: further members of `response`.
func request(
  _ input: String, id: String? = "a1", options: String? = nil, more: String = ""
) -> String {
  var line = #"{"type":"response.create","#
  if let id { line += #""request_id":\#(JSON.quoted(id)),"# }
  if let options { line += #""hotline":{\#(options)},"# }
  return line + #""response":{"model":"m","input":\#(JSON.quoted(input))\#(more)}}"#
}

/// What a request's answer says, put together from its deltas.
func answerText(_ lines: [Line]) -> String {
  lines.filter { $0.kind == "response.output_text.delta" }.compactMap(\.delta.string).joined()
}

extension [Line] {
  var done: Line? { last(where: \.isDone) }
  var error: Line? { first(where: \.isError) }
  var kinds: [String] { map(\.kind) }
  /// Codes of the daemon's own error lines.
  var codes: [String] { filter { $0.hotline != .missing }.compactMap(\.code) }
  func of(_ id: String) -> [Line] { filter { $0.request_id.string == id } }
}
