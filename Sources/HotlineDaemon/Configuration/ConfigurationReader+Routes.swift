import TOMLKit

extension ConfigurationReader {
  /// `[route]`: the upstream for each model.
  mutating func readRoutes(to upstreams: [UpstreamConfiguration]) -> ModelRoutes {
    let patterns = (routeTable?.keys ?? []).sorted()
    var reader = reader(["route"], routeTable, patterns)
    if patterns.count > Schema.namedTablesMax {
      problems.append(
        .init(
          "route",
          "\(patterns.count) routes are too many; at most \(Schema.namedTablesMax) would do",
          line: document?.outline.line(of: ["route"])))
    }
    var routes: [String: String] = [:]
    for pattern in patterns.prefix(Schema.namedTablesMax) {
      if let problem = ModelRoutes.problem(with: pattern) {
        reader.reject(pattern, problem)
        continue
      }
      guard let name = reader.string(pattern, such: Self.builtIn) else { continue }
      guard upstreams.contains(where: { $0.name == name }) else {
        let known = upstreams.map { "\"\($0.name)\"" }.joined(separator: " or ")
        reader.reject(
          pattern, "there is no upstream \(Showable.quoted(name)); \(known) would do")
        continue
      }
      routes[pattern] = name
    }
    finish(reader)
    return ModelRoutes(routes)
  }

  /// `failover` names other upstreams, each once.
  mutating func checkFailover(of upstreams: [UpstreamConfiguration]) {
    for upstream in upstreams {
      let others = Set(upstreams.map(\.name)).subtracting([upstream.name])
      var left = others
      for name in upstream.failover where left.remove(name) == nil {
        let known = others.sorted().map { "\"\($0)\"" }.joined(separator: " or ")
        let why = others.contains(name) ? "is named twice" : "is no other upstream"
        problems.append(
          .init(
            "upstream.\(upstream.name).failover",
            "\(Showable.quoted(name)) \(why)" + (known.isEmpty ? "" : "; \(known) would do"),
            line: document?.outline.line(of: ["upstream", upstream.name, "failover"])))
      }
    }
  }
}
