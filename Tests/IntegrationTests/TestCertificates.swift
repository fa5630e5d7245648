import TestSupport

/// Certificates that `openssl` makes for servers that are not ours.
struct TestCertificates {
  let directory: TemporaryDirectory
  var caFile: String { directory("test-ca.pem") }

  init(in directory: TemporaryDirectory) throws {
    self.directory = directory
    try openssl(
      ["req", "-x509"] + newKey("test-ca.key")
        + ["-subj", "/CN=Authority of the tests", "-days", "2", "-out", caFile])
  }

  /// A certificate that the authority signed, with its key.
  ///
  /// - Parameters:
  ///   - days: negative for one that has expired.
  ///   - isWeak: with a key that has been too short for long.
  func make(
    _ name: String, for host: String = "localhost", days: Int = 2, isWeak: Bool = false
  ) throws -> (certificate: String, key: String) {
    let (certificate, key) = (directory("\(name).pem"), directory("\(name).key"))
    let wish = directory("\(name).csr")
    let extensions = try directory.write("\(name).ext", "subjectAltName=DNS:\(host)\n")
    try openssl(
      ["req"] + newKey("\(name).key", isWeak: isWeak) + ["-subj", "/CN=\(host)", "-out", wish])
    try openssl([
      "x509", "-req", "-in", wish, "-CA", caFile, "-CAkey", directory("test-ca.key"),
      "-CAcreateserial", "-days", "\(days)", "-extfile", extensions, "-out", certificate,
    ])
    return (certificate, key)
  }

  private func newKey(_ name: String, isWeak: Bool = false) -> [String] {
    let kind =
      isWeak ? ["rsa:1024"] : ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    return ["-newkey"] + kind + ["-nodes", "-keyout", directory(name)]
  }

  private func openssl(_ arguments: [String]) throws {
    let result = try ChildProcess.run(Requires.tool("openssl"), arguments)
    guard result.end == .exited(0) else { throw TestFailure("openssl: \(result.errors)") }
  }
}
