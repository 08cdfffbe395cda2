/*
 * Licensed to the Apache Software Foundation (ASF) under one
 * or more contributor license agreements.  See the NOTICE file
 * distributed with this work for additional information
 * regarding copyright ownership.  The ASF licenses this file
 * to you under the Apache License, Version 2.0 (the
 * "License"); you may not use this file except in compliance
 * with the License.  You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 *
 * Changed from the class of the same name in Apache Beam 2.70.0: the names of keyed state are reused, and
 * delays and watermarks keep their milliseconds.
 */
package org.apache.beam.runners.fnexecution.control;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.BundleApplication;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.DelayedBundleApplication;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.ProcessBundleResponse;
import org.apache.beam.runners.core.StateInternals;
import org.apache.beam.runners.core.StateInternalsFactory;
import org.apache.beam.runners.core.StateNamespace;
import org.apache.beam.runners.core.StateNamespaces;
import org.apache.beam.runners.core.StateTags;
import org.apache.beam.runners.core.TimerInternalsFactory;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.state.TimeDomain;
import org.apache.beam.sdk.state.ValueState;
import org.apache.beam.sdk.transforms.windowing.BoundedWindow;
import org.apache.beam.sdk.transforms.windowing.GlobalWindow;
import org.apache.beam.sdk.util.CoderUtils;
import org.apache.beam.sdk.values.WindowedValue;
import org.apache.beam.sdk.values.WindowedValues;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.joda.time.Instant;

/**
 * Replaces the class of the same name in Beam 2.70. Its handler keeps each residual of a splittable DoFn in a keyed state
 * with a new name, and restarts the numbering after a restore. Flink keeps the names of states forever, so memory and
 * checkpoints grow with every self-checkpoint of a source. This class reuses names.
 */
public class BundleCheckpointHandlers {

  /**
   * Keeps a residual in keyed state, and sets a timer with the same name. When the timer fires, the Flink runner calls
   * {@link #isSdfTimer}, reads the state with the name of the timer, and processes the residual.
   *
   * <p>A name is {@code sdf_checkpoint:<slot>}. Within a Flink key (the element, without its restriction) a slot belongs
   * to one residual at a time: until its timer has fired and the bundle that read it has ended. The number of names is
   * therefore the largest number of residuals that were pending together.
   *
   * @param <T> an element with its restriction and size
   */
  public static class StateAndTimerBundleCheckpointHandler<T> implements BundleCheckpointHandler {
    public static final String SDF_PREFIX = "sdf_checkpoint";

    /** The handler of the task on this thread. Timers fire on the thread that opened the operator. */
    private static final ThreadLocal<StateAndTimerBundleCheckpointHandler<?>> OF_TASK = new ThreadLocal<>();

    private final TimerInternalsFactory<T> timers;
    private final StateInternalsFactory<T> states;
    private final Coder<WindowedValue<T>> residualCoder;

    @SuppressWarnings("rawtypes")
    private final Coder windowCoder;

    private final Supplier<Object> currentKey;
    /** The residuals that this attempt has put into slots. */
    private final Map<Slot, T> pending = new HashMap<>();
    /** Slots whose timer fired since the last residual. */
    private final List<Slot> fired = new ArrayList<>();
    /** Slots that an earlier attempt filled and whose timer fired in this attempt: their content has been read. */
    private final Set<Slot> stale = new HashSet<>();
    /** Whether a firing timer may belong to another operator of this thread. */
    private boolean ambiguous;

    @SuppressWarnings("rawtypes")
    public StateAndTimerBundleCheckpointHandler(
        TimerInternalsFactory<T> timers,
        StateInternalsFactory<T> states,
        Coder<WindowedValue<T>> residualCoder,
        Coder windowCoder) {
      this.timers = timers;
      this.states = states;
      this.residualCoder = residualCoder;
      this.windowCoder = windowCoder;
      this.currentKey = currentKeyOf(states);
      StateAndTimerBundleCheckpointHandler<?> other = OF_TASK.get();
      // Flink does not chain two keyed operators into one task. If it did, leaking names would be better than losing data.
      if (other != null) other.ambiguous = ambiguous = true;
      OF_TASK.set(this);
    }

    /** Also tells the handler that a timer fires: the runner calls it once for each timer, with the key of the timer set. */
    public static boolean isSdfTimer(String timerId) {
      if (!timerId.startsWith(SDF_PREFIX)) return false;
      StateAndTimerBundleCheckpointHandler<?> handler = OF_TASK.get();
      if (handler != null) handler.fired.add(new Slot(handler.currentKey.get(), timerId));
      return true;
    }

    @Override
    public void onCheckpoint(ProcessBundleResponse response) {
      try {
        releaseFired();
        for (DelayedBundleApplication residual : response.getResidualRootsList()) {
          if (residual.hasApplication()) keep(residual);
        }
      } catch (Exception e) {
        throw new IllegalStateException("Cannot store a residual", e);
      }
    }

    private void releaseFired() {
      if (!ambiguous) {
        for (Slot slot : fired) {
          T value = pending.remove(slot);
          if (value == null) stale.add(slot);
          else state(states.stateInternalsForKey(value), GLOBAL, slot.name).clear();
        }
      }
      fired.clear();
    }

    private void keep(DelayedBundleApplication residual) throws Exception {
      BundleApplication application = residual.getApplication();
      WindowedValue<T> element =
          CoderUtils.decodeFromByteArray(residualCoder, application.getElement().toByteArray());
      T value = element.getValue();
      Instant wakeUp = Instant.now().plus(delayMillis(residual));
      Instant watermark = Instant.ofEpochMilli(watermarkMillis(application));
      StateInternals internals = states.stateInternalsForKey(value);
      for (BoundedWindow window : element.getWindows()) {
        StateNamespace namespace = namespace(window);
        // A firing timer does not carry its window, so slots are for the global window only.
        String name =
            ambiguous || !(window instanceof GlobalWindow)
                ? SDF_PREFIX + ":" + UUID.randomUUID()
                : takeSlot(internals, value);
        state(internals, namespace, name)
            .write(WindowedValues.of(value, element.getTimestamp(), List.of(window), element.getPaneInfo()));
        timers
            .timerInternalsForKey(value)
            .setTimer(namespace, name, "", wakeUp, watermark, TimeDomain.PROCESSING_TIME);
      }
    }

    /** The first free slot of the key: not used in this attempt, and not restored from a checkpoint. */
    private String takeSlot(StateInternals internals, T value) {
      for (int i = 0; ; i++) {
        Slot slot = new Slot(internals.getKey(), SDF_PREFIX + ":" + i);
        if (pending.containsKey(slot)) continue;
        if (!stale.remove(slot) && state(internals, GLOBAL, slot.name).read() != null) continue;
        pending.put(slot, value);
        return slot.name;
      }
    }

    private ValueState<WindowedValue<T>> state(StateInternals internals, StateNamespace namespace, String name) {
      return internals.state(namespace, StateTags.value(name, residualCoder));
    }

    @SuppressWarnings("unchecked")
    private StateNamespace namespace(BoundedWindow window) {
      return StateNamespaces.window(windowCoder, window);
    }

    private static final StateNamespace GLOBAL =
        StateNamespaces.window(GlobalWindow.Coder.INSTANCE, GlobalWindow.INSTANCE);

    /** In milliseconds; Beam 2.70 truncates it to seconds. */
    private static long delayMillis(DelayedBundleApplication residual) {
      if (!residual.hasRequestedTimeDelay()) return 0;
      return residual.getRequestedTimeDelay().getSeconds() * 1000
          + residual.getRequestedTimeDelay().getNanos() / 1_000_000;
    }

    private static long watermarkMillis(BundleApplication application) {
      return application.getOutputWatermarksMap().values().stream()
          .mapToLong(w -> w.getSeconds() * 1000 + w.getNanos() / 1_000_000)
          .map(millis -> Math.min(millis, BoundedWindow.TIMESTAMP_MAX_VALUE.getMillis()))
          .min()
          .orElse(BoundedWindow.TIMESTAMP_MIN_VALUE.getMillis());
    }

    /** The key of the firing timer. Only the operator that created the factory knows it. */
    private static Supplier<Object> currentKeyOf(StateInternalsFactory<?> factory) {
      for (Field field : factory.getClass().getDeclaredFields()) {
        if (!AbstractStreamOperator.class.isAssignableFrom(field.getType())) continue;
        try {
          field.setAccessible(true);
          return ((AbstractStreamOperator<?>) field.get(factory))::getCurrentKey;
        } catch (IllegalAccessException e) {
          throw new IllegalStateException(e);
        }
      }
      throw new IllegalStateException(factory.getClass() + " does not belong to the Flink runner of Beam 2.70");
    }

    /** A state name for one residual of one Flink key. */
    private static final class Slot {
      private final Object key;
      private final String name;

      Slot(Object key, String name) {
        this.key = key;
        this.name = name;
      }

      @Override
      public boolean equals(Object other) {
        return other instanceof Slot && ((Slot) other).key.equals(key) && ((Slot) other).name.equals(name);
      }

      @Override
      public int hashCode() {
        return Objects.hash(key, name);
      }
    }
  }
}
