/** What authors of DAGs may write into a Pod: every path that is not here is refused. */

/** Null: the value may stand there; a text says why not. */
type ValueRule = (value: unknown) => string | null;
/** `'any'`: whatever stands there, and below. `*`: any key. Lists: for every entry. */
export type Rule = 'any' | ValueRule | { readonly [field: string]: Rule };

const mustBe =
  (...allowed: unknown[]): ValueRule =>
  (value) =>
    allowed.includes(value) ? null : `It may only be ${allowed.map(String).join(' or ')}.`;

/** Priority classes of the cluster itself push everything else out. */
const priorityClass: ValueRule = (value) =>
  String(value).startsWith('system-') ? 'Priority classes of the system are not for tasks.' : null;

const seccomp: Rule = { type: mustBe('RuntimeDefault', 'Localhost'), localhostProfile: 'any' };

const keyReference: Rule = { name: 'any', key: 'any', optional: 'any' };
const env: Rule = {
  name: 'any',
  value: 'any',
  valueFrom: {
    configMapKeyRef: keyReference,
    secretKeyRef: keyReference,
    fieldRef: 'any',
    resourceFieldRef: 'any',
  },
};
const envFrom: Rule = {
  prefix: 'any',
  configMapRef: { name: 'any', optional: 'any' },
  secretRef: { name: 'any', optional: 'any' },
};

/** No host: a probe is sent by the node, which may reach what Pods must not. */
const action: Rule = {
  exec: 'any',
  sleep: 'any',
  httpGet: { path: 'any', port: 'any', scheme: 'any', httpHeaders: 'any' },
  tcpSocket: { port: 'any' },
};
const probe: Rule = {
  ...(action as object),
  grpc: 'any',
  failureThreshold: 'any',
  initialDelaySeconds: 'any',
  periodSeconds: 'any',
  successThreshold: 'any',
  terminationGracePeriodSeconds: 'any',
  timeoutSeconds: 'any',
};

const containerSecurity: Rule = {
  allowPrivilegeEscalation: mustBe(false),
  privileged: mustBe(false),
  capabilities: { add: mustBe('NET_BIND_SERVICE'), drop: 'any' },
  readOnlyRootFilesystem: 'any',
  runAsGroup: 'any',
  runAsNonRoot: 'any',
  runAsUser: 'any',
  seccompProfile: seccomp,
};

const container: Rule = {
  name: 'any',
  image: 'any',
  imagePullPolicy: 'any',
  command: 'any',
  args: 'any',
  workingDir: 'any',
  env,
  envFrom,
  ports: { name: 'any', containerPort: 'any', protocol: 'any' },
  // Without claims: they hand out devices
  resources: { requests: 'any', limits: 'any' },
  volumeMounts: {
    name: 'any',
    mountPath: 'any',
    readOnly: 'any',
    recursiveReadOnly: 'any',
    subPath: 'any',
    subPathExpr: 'any',
    mountPropagation: mustBe('None'),
  },
  securityContext: containerSecurity,
  lifecycle: { postStart: action, preStop: action, stopSignal: 'any' },
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  restartPolicy: 'any',
  stdin: 'any',
  stdinOnce: 'any',
  tty: 'any',
  terminationMessagePath: 'any',
  terminationMessagePolicy: 'any',
};

const volume: Rule = {
  name: 'any',
  emptyDir: 'any',
  configMap: 'any',
  secret: 'any',
  downwardAPI: 'any',
  persistentVolumeClaim: 'any',
  projected: {
    defaultMode: 'any',
    // Without tokens: they speak for a service account
    sources: { configMap: 'any', secret: 'any', downwardAPI: 'any' },
  },
  ephemeral: {
    volumeClaimTemplate: {
      metadata: { labels: 'any', annotations: 'any' },
      spec: {
        accessModes: 'any',
        resources: 'any',
        selector: 'any',
        storageClassName: 'any',
        volumeAttributesClassName: 'any',
        volumeMode: mustBe('Filesystem'),
        volumeName: 'any',
        dataSource: 'any',
      },
    },
  },
};

export const AUTHOR_RULES: Rule = {
  apiVersion: 'any',
  kind: 'any',
  metadata: { name: 'any', namespace: 'any', labels: 'any', annotations: 'any' },
  spec: {
    activeDeadlineSeconds: 'any',
    affinity: 'any',
    automountServiceAccountToken: 'any',
    containers: container,
    initContainers: container,
    dnsConfig: 'any',
    dnsPolicy: mustBe('ClusterFirst', 'Default', 'None'),
    enableServiceLinks: 'any',
    hostAliases: 'any',
    hostname: 'any',
    subdomain: 'any',
    setHostnameAsFQDN: 'any',
    imagePullSecrets: 'any',
    nodeSelector: 'any',
    os: { name: mustBe('linux') },
    priorityClassName: priorityClass,
    restartPolicy: 'any',
    runtimeClassName: 'any',
    schedulerName: 'any',
    securityContext: {
      fsGroup: 'any',
      fsGroupChangePolicy: 'any',
      runAsGroup: 'any',
      runAsNonRoot: 'any',
      runAsUser: 'any',
      seccompProfile: seccomp,
      supplementalGroups: 'any',
      supplementalGroupsPolicy: 'any',
    },
    serviceAccountName: 'any',
    shareProcessNamespace: 'any',
    terminationGracePeriodSeconds: 'any',
    tolerations: 'any',
    topologySpreadConstraints: 'any',
    volumes: volume,
  },
};
