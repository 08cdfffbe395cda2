/*
 * Licensed under the Apache License, Version 2.0; see LICENSE. Not copied from Apache Beam: a new implementation of the
 * interface of the class of the same name in Apache Beam 2.70.0.
 */
package org.apache.beam.runners.flink.translation.functions;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.beam.runners.fnexecution.control.DefaultExecutableStageContext;
import org.apache.beam.runners.fnexecution.control.ExecutableStageContext;
import org.apache.beam.runners.fnexecution.control.ReferenceCountingExecutableStageContextFactory;
import org.apache.beam.runners.fnexecution.provisioning.JobInfo;
import org.apache.flink.api.java.ExecutionEnvironment;

/**
 * Replaces the class of the same name in Beam 2.70, with which all subtasks of a job in one JVM share one worker, or are
 * assigned to workers by the order in which their threads happen to open. Here a worker belongs to a subtask index and an
 * attempt: subtask 1 of every step runs in one worker, subtask 2 in another. So there are as many workers as the job has
 * parallel subtasks, each gets the same share of every step, and no worker outlives a restart of the job.
 */
public class FlinkExecutableStageContextFactory implements ExecutableStageContext.Factory {
  private static final FlinkExecutableStageContextFactory INSTANCE = new FlinkExecutableStageContextFactory();

  /** The end of the name of a task's thread: "Read (2/4)#1" is subtask 2 of 4 in attempt 1. */
  private static final Pattern TASK = Pattern.compile("\\((\\d+)/\\d+\\)#(\\d+)");

  /** Static, because each operator has a copy of the instance: it is serialized with the job. */
  private static final ConcurrentMap<Owner, ExecutableStageContext.Factory> FACTORIES = new ConcurrentHashMap<>();

  private FlinkExecutableStageContextFactory() {}

  public static FlinkExecutableStageContextFactory getInstance() {
    return INSTANCE;
  }

  @Override
  public ExecutableStageContext get(JobInfo job) {
    Owner owner = Owner.ofThread(job.jobId(), Thread.currentThread().getName());
    // The workers of earlier attempts end with the last task that uses them.
    FACTORIES.keySet().removeIf(other -> other.isBefore(owner));
    return FACTORIES.computeIfAbsent(owner, o -> createFactory()).get(job);
  }

  private static ExecutableStageContext.Factory createFactory() {
    // A class of the job's own class loader must be released before the loader is closed.
    return ReferenceCountingExecutableStageContextFactory.create(
        DefaultExecutableStageContext::create,
        caller -> caller.getClass().getClassLoader() != ExecutionEnvironment.class.getClassLoader());
  }

  /** The tasks that share a worker. */
  private static final class Owner {
    private final String job;
    private final int subtask;
    private final int attempt;

    private Owner(String job, int subtask, int attempt) {
      this.job = job;
      this.subtask = subtask;
      this.attempt = attempt;
    }

    static Owner ofThread(String job, String name) {
      Matcher task = TASK.matcher(name);
      int subtask = 0;
      int attempt = 0;
      // The last match: the name of a step may look like one.
      while (task.find()) {
        subtask = Integer.parseInt(task.group(1));
        attempt = Integer.parseInt(task.group(2));
      }
      return new Owner(job, subtask, attempt);
    }

    boolean isBefore(Owner other) {
      return job.equals(other.job) && subtask == other.subtask && attempt < other.attempt;
    }

    @Override
    public boolean equals(Object other) {
      if (!(other instanceof Owner)) return false;
      Owner o = (Owner) other;
      return job.equals(o.job) && subtask == o.subtask && attempt == o.attempt;
    }

    @Override
    public int hashCode() {
      return (job.hashCode() * 31 + subtask) * 31 + attempt;
    }
  }
}
