import Foundation
import TestSupport
import Testing

/// The metrics, as Prometheus itself takes them, and every query of the dashboard.
@Suite(.serialized) struct MetricsTests {
  private static let dashboard = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "contrib/grafana/hotline.json").path

  private static let sections = """
    budget_usd_per_day = 5
    [price.m]
    input_per_million = 1
    output_per_million = 2
    """

  private func get(_ path: String, _ request: String) throws -> String {
    let socket = try UnixSocket(connectedTo: path)
    try socket.write(request)
    return try socket.readToEnd()
  }

  private func rig(_ metrics: String) throws -> Rig {
    let rig = try Rig(sections: Self.sections + "\n[metrics]\n" + metrics)
    try rig.daemon.process.standardError.waitForLine(containing: "metrics can be fetched")
    // What has a price and what fails.
    for input in ["one", "two"] {
      #expect(try rig.client().ask(request(input)).done?.cost_usd.number ?? 0 > 0)
    }
    _ = try rig.client().ask(request("x", options: #""upstream":"none""#))
    return rig
  }

  @Test func theyAreThereForWhoMayOpenTheSocket() throws {
    let directory = try TemporaryDirectory()
    let path = directory("m")
    let rig = try rig("socket = \"\(path)\"")
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    let answer = try get(path, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(answer.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
    #expect(answer.contains("\nhotline_requests_ended_total{outcome=\"completed\"} 2\n"))
    let body = answer.components(separatedBy: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
    #expect(answer.contains("\r\nContent-Length: \(body.utf8.count)\r\n"))
    let head = try get(path, "HEAD /metrics?x=1 HTTP/1.0\n\n")
    #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && head.hasSuffix("\r\n\r\n"))
    #expect(try get(path, "GET / HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 404 "))
    #expect(try get(path, "POST /metrics HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 405 "))
    #expect(try get(path, "nonsense\r\n\r\n").hasPrefix("HTTP/1.1 400 "))
    let long = "GET /metrics HTTP/1.1\r\nX: " + String(repeating: "x", count: 9000)
    #expect(try get(path, long).hasPrefix("HTTP/1.1 431 "))
    // Who connects and says nothing takes no more than its place among 32.
    let silent = try (1...32).map { _ in try UnixSocket(connectedTo: path) }
    _ = try poll(for: "the end of one too many") {
      (try? get(path, "GET /metrics HTTP/1.1\r\n\r\n")).map(\.isEmpty) == false ? nil : true
    }
    #expect(try rig.daemon.status().state.string == "running")
    for each in silent { each.close() }
    _ = try poll(for: "an answer again") {
      let answer = try? get(path, "GET /metrics HTTP/1.1\r\n\r\n")
      return answer?.hasPrefix("HTTP/1.1 200") == true ? true : nil
    }
    #expect(try rig.daemon.process.terminate() == .exited(0))
    #expect(stat(path, &status) != 0, "the socket is gone with the daemon")
  }

  @Test(Requires.tools("promtool"))
  func promtoolFindsNothingWrong() throws {
    let directory = try TemporaryDirectory()
    let path = directory("m")
    let rig = try rig("socket = \"\(path)\"")
    let answer = try get(path, "GET /metrics HTTP/1.1\r\n\r\n")
    let body = answer.components(separatedBy: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
    let result = try ChildProcess.run(
      Requires.tool("promtool"), ["check", "metrics"], input: body)
    #expect(result.end == .exited(0), "\(result)")
    #expect(result.output + result.errors == "")
    withExtendedLifetime(rig) {}
  }

  @Test(Requires.tools("prometheus", "promtool"))
  func prometheusTakesThemAndAnswersTheDashboardsQueries() throws {
    let rig = try rig("listen = \"127.0.0.1:0\"")
    let line = try rig.daemon.process.standardError.waitForLine(containing: "(port ")
    let port = try #require(
      line.components(separatedBy: "(port ").last.flatMap { Int($0.prefix { $0.isNumber }) })
    let directory = try TemporaryDirectory()
    let file = try directory.write(
      "prometheus.yml",
      """
      global: {scrape_interval: 1s}
      scrape_configs:
      - job_name: hotline
        static_configs: [{targets: ["127.0.0.1:\(port)"]}]
      """)
    let (prometheus, web) = try LoopbackPort.start { port in
      try ChildProcess(
        Requires.tool("prometheus"),
        [
          "--config.file=\(file)", "--storage.tsdb.path=\(directory("data"))",
          "--web.listen-address=127.0.0.1:\(port)",
        ])
    }
    defer { prometheus.send(SIGKILL) }
    let queries = try Self.queries()
    #expect(queries.count >= 20)
    var empty = queries
    // A rate takes two samples of what is there, and changes between them.
    _ = try? poll(for: "data", within: .seconds(60), every: .milliseconds(500)) {
      _ = try rig.client().ask(request("again"))
      _ = try rig.client().answer(to: request("x", options: #""upstream":"elsewhere""#))
      let leaving = try rig.client()
      try leaving.send(request("[[fault: silence after 1]]"))
      _ = try leaving.line()
      leaving.close()
      empty = try empty.filter { try query($0, at: web).isEmpty }
      return empty.isEmpty ? true : nil
    }
    #expect(empty.isEmpty, "no data for \(empty)")
  }

  private func query(_ expression: String, at port: Int) throws -> String {
    let result = try ChildProcess.run(
      Requires.tool("promtool"),
      ["query", "instant", "http://127.0.0.1:\(port)", expression])
    guard result.end == .exited(0) else {
      throw TestFailure("\(expression): \(result.output)\(result.errors)")
    }
    return result.output.filter { $0 != "\n" }
  }

  /// With what Grafana puts in the place of its variables.
  private static func queries() throws -> [String] {
    let json = try JSON(parsing: Array(try Data(contentsOf: URL(filePath: dashboard))))
    let variables = json.templating.list.array.compactMap(\.query.string).compactMap { query in
      query.wholeMatch(of: /label_values\((\w+), *\w+\)/).map { String($0.1) }
    }
    #expect(!variables.isEmpty)
    let expressions = json.panels.array.flatMap(\.targets.array).compactMap(\.expr.string)
    return (variables + expressions).map {
      $0.replacingOccurrences(of: "$__rate_interval", with: "1m")
        .replacingOccurrences(of: "$upstream", with: ".*")
    }
  }
}
