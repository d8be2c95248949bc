// Interprets a declarative Jenkinsfile: `groovy run.groovy PLAN.json RESULT.json`. Exit 0 whatever the build's result;
// 2 when the file has a word that a declarative pipeline, or this shim, does not know.
import groovy.json.JsonSlurper

import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.MultipleCompilationErrorsException

def plan = new JsonSlurper().parse(new File(args[0])) as Map
def build = new Build(plan)

abstract class Declarative extends Script {
    void pipeline(Closure body) {
        def build = binding.getVariable('theBuild') as Build
        def top = new PipelineBody(build: build)
        Block.run(body, top)
        if (!top.label || !top.body) throw new Refused('a pipeline needs agent and stages')
        top.assign()
        Block.run(top.body, new Stages(build: build, outer: top, local: top.local))
        top.finish(top.label == 'none' ? null : build.workspace(top.label), build.result == 'SUCCESS')
    }
}

def configuration = new CompilerConfiguration(scriptBaseClass: Declarative.name)
def shell = new GroovyShell(this.class.classLoader, new Binding(theBuild: build), configuration)
try {
    shell.parse(new File(plan.jenkinsfile as String).text, 'Jenkinsfile.groovy').run()
} catch (Refused | MultipleCompilationErrorsException | MissingMethodException | MissingPropertyException error) {
    System.err.println("refused: ${error.message}")
    System.exit(2)
} finally {
    build.endOrphans()
}
new File(args[1]).text = build.told()
