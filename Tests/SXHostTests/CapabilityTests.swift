@testable import SXHost
import Foundation
import SX
import Testing

/// What the operations of the host need.
@Suite struct OperationCapabilityTests {
  @Test func everyOperationSaysWhatItNeeds() throws {
    let needs: [String: Capability?] = [
      "sleep": nil, "wait": nil, "notify": nil, "gunzip": nil, "otlp-parts": nil, "worker-join": nil, "worker-tell": nil, "http-request": .networkClient, "http-serve": .networkServer, "http-respond": .networkServer,
      "http-stream": .networkServer, "http-write": .networkServer, "http-end": .networkServer, "http-work": .networkServer,
    ]
    #expect(Set(SystemHost.operations.keys) == Set(needs.keys))
    for (name, capability) in needs {
      let host = SystemHost(SystemHost.Configuration(output: .captured)), sx = Interpreter(host: host)
      #expect(host.capability(of: name) == capability)
      guard let capability else { continue }
      let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(perform {:op \"\(name)\" :args ()})") }
      #expect(error?.message == "\(name): not allowed: it needs the capability `\(capability.rawValue)`")
    }
  }

  /// The prelude asks for nothing else, so what is said of operations is said of all that scripts can do through it.
  @Test func thePreludePerformsNoOtherOperation() throws {
    let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    var performed: Set<String> = []
    for file in try FileManager.default.subpathsOfDirectory(atPath: root + "/prelude") where file.hasSuffix(".sx") {
      let text = try String(contentsOfFile: root + "/prelude/" + file, encoding: .utf8)
      for match in text.matches(of: /:op "([^"]*)"/) { performed.insert(String(match.1)) }
    }
    #expect(performed.isSubset(of: SystemHost.operations.keys), "\(performed.subtracting(SystemHost.operations.keys))")
    #expect(performed.isSuperset(of: ["http-serve", "http-request", "sleep"]))
  }

  @Test func timeThatPassesWhileAFiberSleepsCounts() throws {
    let sx = Interpreter(host: SystemHost(SystemHost.Configuration(output: .captured)))
    sx.limits.time = .milliseconds(50)
    let start = ContinuousClock.now
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(guard (e (true 1)) (perform {:op \"sleep\" :args (list 60000)}))") }
    #expect(error?.interruption == .time)
    #expect(ContinuousClock.now - start < .seconds(50))
  }
}
